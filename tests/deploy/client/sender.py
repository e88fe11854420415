"""A process that sends numbered events through a spool, and tells which ones it was promised, until it is killed.

Arguments: URL, spool, the first number. Several entities: e<number>, of site number % 3.
"""

import itertools
import sys
from pathlib import Path

from deploy.client import Client
from tests.deploy.client.said import HASTY, received

if __name__ == "__main__":
    url, spool, first = sys.argv[1:]
    with Client(url, "secret", spool=Path(spool), retrying=HASTY, timeout_s=0.2) as client:
        for number in itertools.count(int(first)):
            told = client.send(received(f"e{number}", site=f"S{number % 3}"))
            sys.stdout.write(f"{number} {told[0].status}\n")
            sys.stdout.flush()
