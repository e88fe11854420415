"""The four agents by name, and the consumer groups whose offsets say how far the pipeline is."""

from typing import Final

from streams.derivation import Derivation
from streams.leads.derive import LeadTimes
from streams.orders.derive import Orders
from streams.shipments.derive import Shipments
from streams.stock.derive import Stock

DERIVATIONS: Final[tuple[type[Derivation], ...]] = (Orders, Shipments, Stock, LeadTimes)

WORKER_GROUP: Final = "quayside-worker"
"""The group of all workers; also the Faust app's id."""

HISTORY_GROUP: Final = "quayside-history"
"""The group of the history sink."""
