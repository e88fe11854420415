"""`quayside tokens`: who may publish through the gateway (docs/publishing.md)."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from deploy.command.options import AsJson, Data, print_json

if TYPE_CHECKING:
    from deploy.tokens import Grant, Listed, Made, TokenFile

Name = Annotated[str, typer.Argument(metavar="NAME", help="The token's name, such as acme-wms.")]

_RATE: Final = re.compile(r"([0-9]{1,9})(?:/s)?")
_group = typer.Typer(help="Who may publish through the gateway (docs/publishing.md).", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    _group.command("create")(create)
    _group.command("list")(list_tokens)
    _group.command("revoke")(revoke)
    _group.command("rotate")(rotate)
    app.add_typer(_group, name="tokens")


def create(
    name: Name,
    *,
    source: Annotated[
        list[str] | None, typer.Option("--source", metavar="S", help="It may speak as this source (again for more).")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="T", help="Only such events; else every order, shipment and warehouse event."),
    ] = None,
    any_source: Annotated[
        bool, typer.Option("--any-source", help="It may speak as anybody: for adapters that you trust.")
    ] = False,
    rate: Annotated[
        str | None, typer.Option("--rate", metavar="N/s", help="So many events a second; else 1000/s.")
    ] = None,
    burst: Annotated[
        int | None, typer.Option("--burst", metavar="N", help="So many at once; else ten seconds of the rate.")
    ] = None,
    max_body: Annotated[
        int | None, typer.Option("--max-body", metavar="BYTES", help="Of a request, unpacked; else 10000000.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a token for a partner's system, and print its secret: once, it is kept nowhere.

    A running gateway knows it within a second. Types of reference.events and operator.events change what everybody is
    shown, so they have to be named with --type.

    JSON: the keys of `tokens list`, and secret, old_until.

    \b
    Example: quayside tokens create acme-wms --source acme
    Example: quayside tokens create edi-adapter --any-source --rate 5000/s
    """
    from deploy.tokens import ANY_SOURCE, EVENTS_PER_S, MAX_BYTES
    from schemas.errors import WrongInput

    sources = source or []
    if any_source and sources:
        raise WrongInput("--any-source is every source: leave --source out, or --any-source.")
    if ANY_SOURCE in sources:
        raise WrongInput("'*' is no source: write --any-source for a token that may speak as anybody.")
    if not sources and not any_source:
        raise WrongInput("A token needs a source that it may speak as: name it with --source (--any-source: anybody).")
    made = _tokens(data).create(
        name,
        [ANY_SOURCE] if any_source else sources,
        types=kind or (),
        events_per_s=EVENTS_PER_S if rate is None else _per_second(rate),
        burst=burst,
        max_bytes=MAX_BYTES if max_body is None else max_body,
    )
    _tell(made, data, as_json=as_json)


def list_tokens(*, data: Data = None, as_json: AsJson = False) -> None:
    """List the tokens, without their secrets.

    JSON: tokens, each with name, sources (`*`: any), types (empty: every order, shipment and warehouse event),
    events_per_s, burst, max_body_bytes, created_at, rotated_at (null: never), old_until (until when a secret from
    before the rotation works; null: none does).

    \b
    Example: quayside tokens list --json
    """
    from deploy.command.kept_listing import table
    from schemas.times import minute

    found = _tokens(data).listed()
    if as_json:
        print_json({"tokens": [_listed(one) for one in found]})
        return
    heads = ("name", "events/s", "burst", "created", "rotated", "old secret until", "speaks as")
    lines = [
        (
            *(one.grant.name, str(one.grant.events_per_s), str(one.grant.burst), minute(one.created_at)),
            *("-" if at is None else minute(at) for at in (one.rotated_at, one.old_until)),
            _speaks(one.grant),
        )
        for one in found
    ]
    for line in table(heads, lines):
        print(line)
    print(f"{len(found)} tokens")


def revoke(name: Name, *, data: Data = None) -> None:
    """Take a token away: a running gateway refuses every secret of it within a second.

    \b
    Example: quayside tokens revoke acme-wms
    """
    _tokens(data).revoke(name)
    print(f"{name} is revoked")


def rotate(
    name: Name,
    *,
    grace: Annotated[
        str, typer.Option("--grace", metavar="TIME", help="So long older secrets still work, as 30m, 1h or 2d.")
    ] = "0s",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Give a token a new secret, and print it. Without --grace the old one ends at once.

    JSON: the keys of `tokens list`, and secret, old_until.

    \b
    Example: quayside tokens rotate acme-wms --grace 1h
    """
    from deploy.settings import duration_ms
    from schemas.errors import WrongInput

    try:
        grace_ms = int(duration_ms(grace))
    except ValueError as error:
        raise WrongInput(f"--grace is wrong: {error}.") from None
    _tell(_tokens(data).rotate(name, grace_ms), data, as_json=as_json)


def _tokens(data: Path | None) -> "TokenFile":
    from deploy.settings import load
    from deploy.tokens import TokenFile

    return TokenFile(load(data=data).data / "tokens.json")


def _per_second(text: str) -> int:
    from schemas.errors import WrongInput

    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise WrongInput(f"{text!r} is no rate: write a whole number of events a second, such as 200/s.")
    return int(found[1])


def _tell(made: "Made", data: Path | None, *, as_json: bool) -> None:
    from schemas.times import minute, rfc3339

    until = made.old_until
    if as_json:
        old_until = None if until is None else rfc3339(until)
        print_json({**_granted(made.grant), "secret": made.secret, "old_until": old_until})
        return
    grant = made.grant
    print(f"{grant.name} may publish as {_speaks(grant)}: {grant.events_per_s} events/s, {grant.burst} at once")
    if until is not None:
        print(f"older secrets work until {minute(until)} UTC")
    print("its secret, which is told now and never again:")
    print()
    print(f"    export QUAYSIDE_TOKEN={made.secret}")
    print(
        '    curl -H "Authorization: Bearer $QUAYSIDE_TOKEN" -H "Content-Type: application/x-ndjson" \\\n'
        f"        --data-binary @events.ndjson {_gateway(data)}/v1/events"
    )


def _gateway(data: Path | None) -> str:
    """Where the running stack's gateway is, else what to put there."""
    from deploy.settings import load
    from deploy.stackfile import running

    stack = running(load(data=data).data)
    return (stack and stack.gateway) or "$QUAYSIDE_GATEWAY"


def _speaks(grant: "Grant") -> str:
    from deploy.tokens import ANY_SOURCE

    sources = "anybody" if ANY_SOURCE in grant.sources else ", ".join(grant.sources)
    return f"{sources} ({', '.join(grant.types)})" if grant.types else sources


def _granted(grant: "Grant") -> dict[str, Any]:
    return {
        "name": grant.name,
        "sources": list(grant.sources),
        "types": list(grant.types),
        "events_per_s": grant.events_per_s,
        "burst": grant.burst,
        "max_body_bytes": grant.max_bytes,
    }


def _listed(one: "Listed") -> dict[str, Any]:
    from schemas.times import rfc3339

    return {
        **_granted(one.grant),
        "created_at": rfc3339(one.created_at),
        **{
            name: None if at is None else rfc3339(at)
            for name, at in (("rotated_at", one.rotated_at), ("old_until", one.old_until))
        },
    }
