"""The store's engine, for proofs about SQL."""

from tests.sinks.conftest import engine

__all__ = ["engine"]
