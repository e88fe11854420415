"""A small client for suppliers: events to a Quayside gateway, checked first, and none of them lost on the way.

Shipped on its own as `quayside-client` (deploy/client/README.md); needs pydantic and msgspec and nothing else of
Quayside but its contract, `schemas`.
"""

from deploy.client.checking import Sendable
from deploy.client.client import Client
from deploy.client.delivering import Retrying
from deploy.client.receipts import Flushed, Receipt, SpoolFull, Undelivered

__all__ = ["Client", "Flushed", "Receipt", "Retrying", "Sendable", "SpoolFull", "Undelivered"]
