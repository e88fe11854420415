"""The command: `publish` a file, `flush` a spool, ask for a `status` and for `rejections`.

Exit codes: 0 done, 1 something was refused, 2 wrong usage or input, 3 the gateway took nothing, 130 interrupted.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

from deploy.client.client import BATCH, Client
from deploy.client.receipts import Receipt, Undelivered
from schemas.errors import QuaysideError, WrongInput

_SHOWN: Final = 20
_INTERRUPTED: Final = 130


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; an error is one sentence on stderr."""
    told = _parser().parse_args(arguments)
    try:
        return int(told.run(told))
    except QuaysideError as error:
        _say(f"quayside-client: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED


def _publish(told: argparse.Namespace) -> int:
    """`--json`: read, accepted, refused, spooled, refusals (receipts, with their line where it is known)."""
    count: Counter[str] = Counter()
    refusals: list[dict[str, Any]] = []
    late: Undelivered | None = None
    with _client(told) as client, _opened(told.file) as file:
        lines = ((number, line) for number, line in enumerate(file, 1) if line.strip())
        while late is None and (some := list(islice(lines, BATCH))):
            try:
                receipts: Sequence[Receipt] = client.send([line for _, line in some])
            except Undelivered as error:
                receipts, late = error.receipts, error
            count.update(receipt.status for receipt in receipts)
            refusals.extend(
                {**receipt.as_dict(), "line": some[receipt.index][0]}
                for receipt in receipts
                if receipt.status == "refused"
            )
        if late is None and client.waiting:
            late = _flush_rest(client, count, refusals)
    for refusal in refusals[:_SHOWN]:
        place = f"{told.file}:{refusal['line']}" if refusal["line"] else f"{refusal['source']} {refusal['event_id']}"
        _say(f"{place}: {refusal['reason']}")
    if len(refusals) > _SHOWN:
        _say(f"... and {len(refusals) - _SHOWN} more")
    kept = {name: count[name] for name in ("accepted", "refused", "spooled")}
    if told.json:
        _tell(json.dumps({"read": sum(kept.values()), **kept, "refusals": refusals}, ensure_ascii=False))
    else:
        waits = f", {kept['spooled']} spooled" if kept["spooled"] else ""
        _tell(f"{sum(kept.values())} events: {kept['accepted']} accepted, {kept['refused']} refused{waits}")
    if late is not None:
        raise late
    return 1 if refusals else 0


def _flush_rest(client: Client, count: Counter[str], refusals: list[dict[str, Any]]) -> Undelivered | None:
    """Deliver what was spooled, and count it as what became of it.

    What an earlier run left in the spool goes out first, and is not counted: only this file's lines are.
    """
    earlier = client.waiting - count["spooled"]
    late: Undelivered | None = None
    try:
        refused: Sequence[Receipt] = client.flush().refused
    except Undelivered as error:
        refused, late = error.receipts, error
    settled = count["spooled"] - min(count["spooled"], client.waiting)
    ours = [receipt for receipt in refused if receipt.index >= earlier]
    count.update({"spooled": -settled, "accepted": settled - len(ours), "refused": len(ours)})
    refusals.extend({**receipt.as_dict(), "line": None} for receipt in refused)
    return late


def _flush(told: argparse.Namespace) -> int:
    """`--json`: accepted, refused (receipts)."""
    with _client(told) as client:
        flushed = client.flush()
    for receipt in flushed.refused[:_SHOWN]:
        _say(f"{receipt.source} {receipt.event_id}: {receipt.reason}")
    if told.json:
        refused = [receipt.as_dict() for receipt in flushed.refused]
        _tell(json.dumps({"accepted": flushed.accepted, "refused": refused}, ensure_ascii=False))
    else:
        _tell(f"{flushed.accepted} accepted, {len(flushed.refused)} refused")
    return 1 if flushed.refused else 0


def _status(told: argparse.Namespace) -> int:
    """One JSON object, as the gateway tells it; exit code 1 where it has not seen the event."""
    with _client(told) as client:
        status = client.status(told.source, told.event_id)
    if status is None:
        _say(f"The gateway has no event {told.event_id!r} of {told.source!r}.")
        return 1
    _tell(json.dumps(status, ensure_ascii=False))
    return 0


def _rejections(told: argparse.Namespace) -> int:
    """One JSON object a line, oldest first; exit code 1 where there is any."""
    with _client(told) as client:
        found = client.rejections(told.since)
    for rejection in found:
        _tell(json.dumps(rejection, ensure_ascii=False))
    return 1 if found else 0


def _client(told: argparse.Namespace) -> Client:
    return Client(
        told.url,
        told.token_file,
        spool=getattr(told, "spool", None),
        timeout_s=told.timeout,
        ca=told.ca,
        plain_http=told.plain_http,
    )


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    """A file's lines, or stdin's."""
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115  # closed below
    except OSError as error:
        raise WrongInput(f"{name} cannot be read: {error.strerror}. Check the path.") from None
    with file:
        yield file


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="quayside-client", description="Events to a Quayside gateway.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    where = "--url https://quayside.example.com --token-file token"

    def command(
        name: str, run: Callable[[argparse.Namespace], int], told: str, example: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=told, description=told, epilog=f"Example: quayside-client {name} {where} {example}".rstrip()
        )
        added.set_defaults(run=run)
        added.add_argument("--url", required=True, help="the gateway's address")
        added.add_argument("--token-file", required=True, type=Path, metavar="FILE", help="where the token is")
        added.add_argument("--timeout", type=float, default=10, metavar="S", help="for each answer, seconds (10)")
        added.add_argument("--ca", type=Path, metavar="FILE", help="certificates to trust, PEM (default: the system's)")
        added.add_argument("--plain-http", action="store_true", help="allow http:// to another machine")
        return added

    publish = command(
        "publish", _publish, "Publish NDJSON, one event a line; - reads stdin.", "--spool spool events.ndjson"
    )
    publish.add_argument("file", metavar="FILE|-", help="the events")
    publish.add_argument("--spool", type=Path, metavar="DIR", help="keep here what cannot be delivered")
    publish.add_argument("--json", action="store_true", help="print one JSON object, on the last line")
    flush = command("flush", _flush, "Deliver what is in a spool.", "--spool spool")
    flush.add_argument("--spool", type=Path, metavar="DIR", required=True, help="the spool")
    flush.add_argument("--json", action="store_true", help="print one JSON object, on the last line")
    status = command("status", _status, "What became of an event, as JSON.", "acme-wms mv/210")
    status.add_argument("source", metavar="SOURCE", help="who said it")
    status.add_argument("event_id", metavar="EVENT_ID", help="its event_id")
    rejections = command("rejections", _rejections, "What was refused or came too late, as NDJSON.", "")
    rejections.add_argument("--since", metavar="TIME", default="24h", help="2h, 2026-11-22, or RFC 3339 (24h)")
    return parser


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
