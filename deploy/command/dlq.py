"""`quayside dlq list`, `show` and `replay`: dead letters, what is wrong with them, and sending them again."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.command.options import AsJson, Data, print_json
from schemas.times import rfc3339, wall_clock

if TYPE_CHECKING:
    from deploy.deadletters import State, Which

Source = Annotated[
    list[str] | None, typer.Option("--source", metavar="S", help="Sent by this source; may be given several times.")
]
CauseOption = Annotated[
    list[str] | None, typer.Option("--cause", metavar="C", help="Of this cause; may be given several times.")
]
TopicOption = Annotated[
    list[str] | None, typer.Option("--topic", metavar="T", help="Of this topic (`publish`: lines that it refused).")
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Arrived since: 2h, 7d, 2026-11-22, an RFC 3339 time.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Arrived before; as --since.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="With this text in the reason.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="So many at most.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    dlq = typer.Typer(help="Dead letters: list them, look at one, send them again.", no_args_is_help=True)
    dlq.command("list")(list_letters)
    dlq.command("show")(show)
    dlq.command("replay")(replay)
    app.add_typer(dlq, name="dlq")


def list_letters(
    *,
    source: Source = None,
    cause: CauseOption = None,
    topic: TopicOption = None,
    since: Since = None,
    until: Until = None,
    reason: Reason = "",
    only_open: Annotated[bool, typer.Option("--open", help="Never sent again (the default).")] = False,
    resent: Annotated[bool, typer.Option("--resent", help="Sent again.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Both.")] = False,
    summary: Annotated[bool, typer.Option("--summary", help="Count them by cause, source and reason.")] = False,
    limit: Limit = 50,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, the newest first, each with the id that `show` and `replay` take.

    \b
    Example: quayside dlq list --since 24h
    Example: quayside dlq list --summary
    """
    from contextlib import closing

    from deploy import deadletters
    from deploy.command.kept_listing import exactly_one, table
    from deploy.command.reach import stack_of
    from deploy.gate_client import gate_client

    state: State = exactly_one((("open", only_open), ("resent", resent), ("all", every)), "open")
    which = _which(source, cause, topic, since, until, reason, state)
    with closing(gate_client(stack_of(data)[1])) as store:
        total = deadletters.count(store, which)
        if summary:
            groups = deadletters.summary(store, which, limit)
            answer, shown = {"count": total, "groups": [group.as_dict() for group in groups]}, len(groups)
            lines = table(
                ("letters", "last", "cause", "source", "reason"),
                [(str(g.count), rfc3339(g.last), g.cause, g.source or "-", g.reason) for g in groups],
            )
        else:
            letters = deadletters.newest(store, which, limit)
            answer, shown = {"count": total, "letters": [letter.as_dict() for letter in letters]}, len(letters)
            resent_too = ("resent",) if state != "open" else ()
            lines = table(
                ("id", "arrived", *resent_too, "cause", "source", "reason"),
                [
                    (
                        *(str(one.place), rfc3339(one.arrived_at)),
                        *("-" if one.resent_at is None else rfc3339(one.resent_at) for _ in resent_too),
                        *(one.cause, one.source or "-", one.reason),
                    )
                    for one in letters
                ],
            )
    if as_json:
        print_json(answer)
        return
    for line in lines:
        print(line)
    rest = f"; {shown} groups shown" if summary else f"; {shown} shown" if shown < total else ""
    print(f"{total} dead letters{'' if state == 'all' else f' ({state})'}{rest}")


def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="As `quayside dlq list` tells it.")],
    *,
    raw: Annotated[bool, typer.Option("--raw", help="Write exactly its bytes, and nothing else.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show all of one dead letter: why, from whom, when, where, what became of it, and its bytes.

    \b
    Example: quayside dlq show 3/warehouse.events/1/1234
    Example: quayside dlq show 3/warehouse.events/1/1234 --raw > letter.json
    """
    from contextlib import closing

    from deploy import deadletters
    from deploy.command.kept_listing import described, value_keys, write_raw
    from deploy.command.reach import stack_of
    from deploy.gate_client import gate_client
    from deploy.kept import Place

    with closing(gate_client(stack_of(data)[1])) as store:
        found = deadletters.letter_of(store, name)
        sendings = deadletters.sendings(store, found.letter)
    if raw:
        write_raw(found.value)
        return
    told = found.letter.as_dict()
    if as_json:
        sent = {"sent_again": [one.as_dict() for one in sendings]}
        print_json(told | sent | {"key": found.key.decode(errors="replace")} | value_keys(found.value))
        return
    told["key"] = found.key.decode(errors="replace")
    told["became"] = tuple(
        f"{one.became} {rfc3339(one.at)} as {Place(one.coordinate)}: {one.what}" for one in sendings
    ) or ("nothing yet: it is open",)
    for line in described(told, ("epoch", "topic", "partition", "offset", "resent_at"), found.value):
        print(line)


def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="As `quayside dlq list` tells them.")] = None,
    *,
    source: Source = None,
    cause: CauseOption = None,
    topic: TopicOption = None,
    since: Since = None,
    until: Until = None,
    reason: Reason = "",
    every: Annotated[bool, typer.Option("--all", help="Every one that was never sent again.")] = False,
    value: Annotated[
        str | None, typer.Option("--value", metavar="FILE|-", help="Send these bytes instead: one mended event.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be accepted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also what is refused again; with ids, also what was sent again before.")
    ] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Return when accepted, not when it can be queried.")
    ] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again, by id or by filter. What would be refused again is told, and not sent.

    Exit code 1 if any is still refused. Each stays in the list (`--resent`); to do it twice does no harm.

    \b
    Example: quayside dlq replay 3/warehouse.events/1/1234 --value mended.json
    Example: quayside dlq replay --cause invalid --source acme --since 7d --dry-run
    """
    from contextlib import closing

    from deploy.command.kept_listing import read_value
    from deploy.command.reach import stack_of
    from deploy.gate_client import gate_client
    from deploy.kept import plain
    from deploy.resending import Order, send_again
    from schemas.errors import WrongInput

    filters = bool(source or cause or topic or since or until or reason)
    if ids and (filters or every):
        raise WrongInput("Name ids or filters, not both.")
    if not (ids or filters or every):
        raise WrongInput("Say which dead letters: ids (`quayside dlq list`), filters such as --cause, or --all.")
    if value is not None and len(ids or ()) != 1:
        raise WrongInput("Mended bytes are for one dead letter: name one id, and no filter, with --value.")
    order = Order(
        ids=tuple(ids or ()),
        which=_which(source, cause, topic, since, until, reason, "open"),
        value=None if value is None else read_value(value),
        force=force,
        dry_run=dry_run,
        wait=not no_wait,
    )
    settings, stack = stack_of(data)
    with closing(gate_client(stack)) as store:
        outcome = send_again(store, settings, stack, order, agree=lambda many: yes or _agreed(many))
    for sentence in outcome.sentences:
        print(plain(sentence), file=sys.stderr)
    if as_json:
        print_json(outcome.as_dict())
    elif not outcome.agreed:
        print("nothing was sent")
    else:
        what = "would be accepted" if dry_run else "accepted"
        print(
            f"{outcome.selected} dead letters: {outcome.sent} sent, {outcome.accepted} {what}, "
            f"{outcome.still_bad} still bad, {outcome.already_resent} sent again before"
        )
    sys.exit(130 if not outcome.agreed else 1 if outcome.still_bad else 0)


def _which(
    source: list[str] | None,
    cause: list[str] | None,
    topic: list[str] | None,
    since: str | None,
    until: str | None,
    reason: str,
    state: "State",
) -> "Which":
    from deploy.deadletters import Which
    from deploy.kept import span_of

    span = span_of(since, until, wall_clock())
    return Which(tuple(source or ()), tuple(cause or ()), tuple(topic or ()), span, reason, state)


def _agreed(many: int) -> bool:
    """Whether the person agrees; where none sits there, nobody is asked."""
    return not sys.stdin.isatty() or typer.confirm(f"Send {many} dead letters again?", err=True)
