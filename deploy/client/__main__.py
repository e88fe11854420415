"""`python -m quayside_client`."""

import sys

from deploy.client.command import run

sys.exit(run())
