"""A stand-in for Grafana's HTTP API: the endpoints that `push` speaks, over a dictionary. It is no Grafana.

It imitates what Grafana's HTTP API documents: lists carry `jsonData` and never a password, a save raises the
dashboard's version and gives it an id, unknown things are 404 with a `message`. What it cannot show: whether a
newer Grafana changes a dashboard as it stores it.
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

Json = dict[str, Any]

PASSWORD = "right"  # noqa: S105 - of the stand-in


@dataclass
class StandIn:
    """What the stand-in holds, and every request that could have changed it."""

    url: str = ""
    sources: list[Json] = field(default_factory=list)
    folders: dict[str, Json] = field(default_factory=dict)
    boards: dict[str, Json] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    passwords: list[str] = field(default_factory=list)
    groups: dict[str, Json] = field(default_factory=dict)
    others: dict[str, Json] = field(default_factory=dict)
    """Templates, mute timings and contact points, by kind/name."""

    def answer(self, method: str, path: str, body: Json) -> tuple[int, Any]:  # noqa: C901, PLR0911 - one per endpoint
        """Status and JSON of one request."""
        path, _, asked = path.partition("?")
        parts = path.removeprefix("/api/").split("/")
        match method, parts:
            case "GET", ["health"]:
                return 200, {"database": "ok", "version": "stand-in"}
            case "GET", ["datasources"]:
                return 200, self.sources
            case "POST", ["datasources"]:
                return self._save_source(body | {"id": len(self.sources) + 1, "readOnly": False})
            case "PUT", ["datasources", number]:
                return self._save_source(body | {"id": int(number), "readOnly": False})
            case "GET", ["folders", uid]:
                return self._one(self.folders, uid)
            case "POST", ["folders"]:
                self.folders[body["uid"]] = body
                return 200, body
            case "GET", ["search"]:
                return 200, self._search(parse_qs(asked))
            case "GET", ["dashboards", "uid", uid]:
                return self._one(self.boards, uid)
            case "DELETE", ["dashboards", "uid", uid]:
                del self.boards[uid]
                return 200, {"message": "deleted"}
            case "POST", ["dashboards", "db"]:
                return self._save_board(body)
            case _, ["v1", "provisioning", *rest]:
                return self._alerting(method, rest, body)
            case _:
                return 404, {"message": "Not found"}

    def _alerting(  # noqa: C901, PLR0911 - one per endpoint
        self, method: str, parts: list[str], body: Json
    ) -> tuple[int, Any]:
        match method, parts:
            case "GET", ["folder", _, "rule-groups", name]:
                return self._one(self.groups, name)
            case "PUT", ["folder", _, "rule-groups", name]:
                shown = [
                    rule | {"for": f"{int(rule['for'][:-1]) // 60}m{int(rule['for'][:-1]) % 60}s"}
                    for rule in body["rules"]
                ]
                self.groups[name] = body | {"rules": [rule | {"id": 1, "updated": "now"} for rule in shown]}
                return 200, self.groups[name]
            case "GET", ["alert-rules"]:
                return 200, [rule for group in self.groups.values() for rule in group["rules"]]
            case "DELETE", ["alert-rules", uid]:
                for group in self.groups.values():
                    group["rules"] = [rule for rule in group["rules"] if rule["uid"] != uid]
                return 204, {}
            case "GET", ["alert-rules", uid]:
                rules = {rule["uid"]: rule for group in self.groups.values() for rule in group["rules"]}
                return self._one(rules, uid)
            case "GET", ["contact-points"]:
                return 200, [one for name, one in self.others.items() if name.startswith("contact-points/")]
            case "GET", [kind, name]:
                return self._one(self.others, f"{kind}/{name}")
            case "PUT", [kind, name]:
                self.others[f"{kind}/{name}"] = body
                return 202, body
            case "POST", [kind]:
                self.others[f"{kind}/{body.get('uid') or body['name']}"] = body
                return 202, body
            case _:
                return 404, {"message": "Not found"}

    def _search(self, asked: dict[str, list[str]]) -> list[Json]:
        assert asked["type"] == ["dash-db"]
        return [
            {"uid": uid, "title": board["dashboard"].get("title"), "folderUid": board["meta"].get("folderUid")}
            for uid, board in self.boards.items()
            if set(asked["tag"]) <= set(board["dashboard"].get("tags", []))
        ]

    def _one(self, among: dict[str, Json], uid: str) -> tuple[int, Json]:
        return (200, among[uid]) if uid in among else (404, {"message": "not found"})

    def _save_source(self, source: Json) -> tuple[int, Json]:
        self.passwords.append(source.pop("secureJsonData")["password"])
        self.sources = [one for one in self.sources if one["id"] != source["id"]] + [source]
        return 200, {"id": source["id"], "datasource": source}

    def _save_board(self, body: Json) -> tuple[int, Json]:
        board = body["dashboard"]
        old = self.boards.get(board["uid"], {"dashboard": {"version": 0}})
        saved = board | {"id": len(self.boards) + 1, "version": old["dashboard"]["version"] + 1}
        meta = {"folderUid": body["folderUid"], "provisioned": False}
        self.boards[board["uid"]] = {"dashboard": saved, "meta": meta}
        return 200, {"uid": board["uid"], "status": "success"}


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """A stand-in that listens on a free port of loopback."""
    state = StandIn()

    class Handler(BaseHTTPRequestHandler):
        """Passes requests on to the state, for whoever has the password."""

        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            right = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
            status, content = 401, {"message": "Invalid username or password"}
            if self.headers["Authorization"] == right:
                if self.command != "GET":
                    state.writes.append(f"{self.command} {self.path}")
                status, content = state.answer(self.command, self.path, body)
            payload = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - the names http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
