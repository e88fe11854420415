"""Audits a running stack, or your own servers, through the store's gate and with Kafka's own records."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deploy.gate_client import gate_client, rows
from deploy.stackfile import StackFile
from sinks.audit.coordinates import of_broker
from sinks.audit.report import Report, audit
from streams.settling import settle

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its news reach people as our own sentences


def audit_stack(stack: StackFile, *, deep: bool = False, progress: Callable[[str], None] = lambda _: None) -> Report:
    """Audit everything. `deep`: read every record of the fact topics, and compare its bytes.

    Raises Unreachable where broker or store do not answer.
    """
    client = gate_client(stack)

    def ask(sql: str, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        return rows(client, sql, parameters)

    try:
        return audit(
            ask,
            settle=lambda: settle(stack.kafka),
            coordinates=lambda: of_broker(ask, stack.kafka, stack.epoch, deep=deep),
            progress=progress,
        )
    finally:
        client.close()
