"""A gateway in this process: its application called as uvicorn would, with a publisher that only notes what it got."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from deploy.door import Door
from deploy.gateway.app import make_app
from deploy.gateway.captures import Captures
from deploy.gateway.commits import Commits, SpoolCommits
from deploy.gateway.earlier import Earlier
from deploy.gateway.idempotency import Answers
from deploy.gateway.intake import Intake
from deploy.gateway.limits import Limits
from deploy.gateway.measures import GatewayProbes
from deploy.gateway.receiving import Receiving
from deploy.gateway.routes import Parts
from deploy.gateway.tally import Tally
from deploy.spool import Spooled
from deploy.tokens import TokenFile
from schemas.errors import Unreachable

NOW = "2026-01-01T00:00:00Z"


def event(event_id: str, source: str = "acme", **other: Any) -> bytes:
    """An event of stock, as bytes."""
    said = {
        "event_id": event_id,
        "source": source,
        "type": "received",
        "site": "BER",
        "item": "acme:1",
        "unit": "pcs",
        "quantity": 1,
        "occurred_at": NOW,
        "recorded_at": NOW,
    }
    return json.dumps(said | other).encode()


@dataclass(slots=True)
class Noting:
    """A publisher. `away`: raises instead; `held`: waits for it before it takes anything."""

    records: list[Spooled] = field(default_factory=list)
    away: bool = False
    held: asyncio.Event | None = None
    sends: int = 0

    async def send(self, records: Sequence[Spooled]) -> None:
        """Note them."""
        self.sends += 1
        if self.held is not None:
            await self.held.wait()
        if self.away:
            raise Unreachable("The broker is away.")
        self.records += records

    async def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's document."""
        return json.loads(self.body)


class Gate:
    """The application with its parts."""

    def __init__(self, parts: Parts, publisher: Noting, commits: Commits, secrets: Mapping[str, str]) -> None:
        self.parts = parts
        self.publisher = publisher
        self.commits = commits
        self.secrets = secrets
        self.app = make_app(parts)

    async def call(
        self,
        method: str,
        path: str,
        body: bytes | Sequence[bytes] = b"",
        who: str | None = "acme",
        **headers: str,
    ) -> Answer:
        """A request; `who`: whose token goes with it (None: nobody's); a header's underscores are dashes."""
        place = urlsplit(path)
        told = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        if who is not None:
            told.setdefault("authorization", f"Bearer {self.secrets.get(who, who)}")
        pieces = [body] if isinstance(body, bytes) else list(body)
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if not pieces:
                await asyncio.sleep(3600)
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(place.path),
            "raw_path": place.path.encode(),
            "query_string": place.query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in told.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        await self.app(scope, receive, send)
        start = sent[0]
        return Answer(
            start["status"],
            {name.decode(): value.decode() for name, value in start["headers"]},
            b"".join(message.get("body", b"") for message in sent[1:]),
        )

    async def post(self, body: bytes | Sequence[bytes], path: str = "/v1/events", **other: Any) -> Answer:
        """Events, as JSON unless said otherwise."""
        other.setdefault("content_type", "application/json")
        return await self.call("POST", path, body, **other)

    async def all_sent(self) -> None:
        """Wait until the publisher has all that was accepted."""
        await until(lambda: not self.commits.queued)


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds; fails if it never does."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  # what is waited for tells nobody
            await asyncio.sleep(0.001)


@asynccontextmanager
async def gate(
    folder: Path, *, commits: Commits | None = None, publisher: Noting | None = None, store: Any = None, **limits: Any
) -> AsyncIterator[Gate]:
    """A gateway on a folder: tokens `acme` (speaks as acme), `any` (as anybody)."""
    publisher = publisher or Noting()
    tally = Tally()
    kept = commits or SpoolCommits(folder / "spool", publisher)
    tokens = TokenFile(folder / "tokens.json", every_s=0)
    secrets = {
        "acme": tokens.create("acme", ["acme"], **limits).secret,
        "any": tokens.create("any", ["*"]).secret,
    }
    earlier = Earlier(Door(store, 1_000), tally)
    parts = Parts(
        tokens=tokens,
        intake=Intake(earlier, kept, tally),
        limits=Limits(),
        answers=Answers(folder / "gateway" / "idempotency.sqlite"),
        receiving=Receiving(tally, patience=0.2),
        store=store,
        tally=tally,
        probes=GatewayProbes(tally, kept, 60.0),
        captures=Captures(folder / "gateway" / "captures.sqlite"),
    )
    try:
        yield Gate(parts, publisher, kept, secrets)
    finally:
        await kept.close(0)
        parts.answers.close()
        parts.captures.close()
        parts.receiving.close()
        earlier.close()
