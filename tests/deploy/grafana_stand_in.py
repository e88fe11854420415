"""A stand-in for the `grafana` binary: it answers /api/health and writes down how it was started.

It is no Grafana. STAND_IN=dies makes it end at once, STAND_IN=deaf makes it never listen, STAND_IN=stubborn
makes it ignore a polite end.
"""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Health(BaseHTTPRequestHandler):
    """Answers /api/health as Grafana does."""

    def do_GET(self) -> None:
        """Says that all is well, at /api/health only."""
        found = self.path == "/api/health"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(b'{"database": "ok"}' if found else b"{}")


def main() -> None:
    """Starts as the environment says."""
    mood = os.environ.get("STAND_IN", "")
    settings = {name: value for name, value in os.environ.items() if name.startswith(("GF_", "QUAYSIDE_"))}
    told = {"arguments": sys.argv[1:], "environment": settings}
    Path(os.environ["GF_PATHS_DATA"], "told.json").write_text(json.dumps(told), encoding="utf-8")
    if mood == "dies":
        sys.exit("the stand-in was told to die")
    if mood == "deaf":
        time.sleep(600)
    if mood == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    address = (os.environ["GF_SERVER_HTTP_ADDR"], int(os.environ["GF_SERVER_HTTP_PORT"]))
    HTTPServer(address, Health).serve_forever()


if __name__ == "__main__":
    main()
