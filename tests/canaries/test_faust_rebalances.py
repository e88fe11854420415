"""In which order Faust tells of partitions, and when its agents get records: agents forget and own by it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from streams.transport.driver import Undecoded

_PATIENCE_S = 30.0


@pytest.fixture
def topic(broker: str, fresh_topic: Callable[[str], str]) -> str:
    """A new topic of two partitions."""
    name = fresh_topic("canary")
    with KafkaAdminClient(bootstrap_servers=broker) as admin:
        admin.create_topics([NewTopic(name, 2, 1)])
        admin.wait_for_topics([name])
    return name


class _Heard:
    """What an app was told, in order; `hold` keeps it from going on after a revocation."""

    def __init__(self, app: Any, topic: str) -> None:
        self.told: list[str] = []
        self.changed = asyncio.Condition()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

        @app.on_partitions_revoked.connect  # type: ignore[untyped-decorator]  # Faust is untyped
        async def revoked(_: Any, places: Any, **__: Any) -> None:
            await self._tell(f"revoked {len(places)}")
            await self.may_go_on.wait()
            await self._tell("went on")

        @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]  # Faust is untyped
        async def assigned(_: Any, places: Any, **__: Any) -> None:
            await self._tell(f"assigned {len(places)}")

        @app.agent(app.topic(topic, schema=Undecoded(), value_type=bytes))  # type: ignore[untyped-decorator]
        async def body(stream: Any) -> None:
            async for _ in stream.noack().events():
                await self._tell("record")

    async def until(self, told: str) -> None:
        """Wait until this was told."""
        async with asyncio.timeout(_PATIENCE_S), self.changed:
            await self.changed.wait_for(lambda: told in self.told)

    async def _tell(self, what: str) -> None:
        async with self.changed:
            self.told.append(what)
            self.changed.notify_all()


@asynccontextmanager
async def _running(broker: str, group: str, topic: str, folder: Path) -> AsyncIterator[_Heard]:
    app = faust.App(
        group,
        broker=f"batched://{broker}",
        store="memory://",
        datadir=folder,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        autodiscover=False,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=2.0,
        broker_rebalance_timeout=20.0,
        broker_heartbeat_interval=0.2,
        broker_request_timeout=30.0,
        stream_wait_empty=False,
    )
    heard = _Heard(app, topic)
    app.finalize()
    await app.start()
    try:
        yield heard
    finally:
        heard.may_go_on.set()
        await app.stop()


async def test_an_agent_gets_records_after_its_partitions_were_told(
    broker: str, topic: str, fresh_topic: Callable[[str], str], tmp_path: Path
) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        for partition in (0, 1):
            await producer.send_and_wait(topic, b"value", partition=partition)
    async with _running(broker, fresh_topic("group"), topic, tmp_path) as heard:
        await heard.until("record")
    assert heard.told.index("assigned 2") < heard.told.index("record"), (
        "records come before the assignment is told: Agent.process would leave them out"
    )


async def test_a_rebalance_waits_for_what_hears_of_the_revocation(
    kafka: str, fresh_topic: Callable[[str], str], tmp_path: Path
) -> None:
    group, topic = fresh_topic("group"), fresh_topic("canary")
    with KafkaAdminClient(bootstrap_servers=kafka) as admin:
        admin.create_topics([NewTopic(topic, 2, 1)])
        admin.wait_for_topics([topic])
    async with _running(kafka, group, topic, tmp_path) as heard:
        await heard.until("assigned 2")
        heard.may_go_on.clear()
        other = AIOKafkaConsumer(
            topic,
            bootstrap_servers=kafka,
            group_id=group,
            partition_assignment_strategy=(RangePartitionAssignor,),
            rebalance_timeout_ms=20_000,
            heartbeat_interval_ms=200,
        )
        joining = asyncio.create_task(other.start())
        try:
            await heard.until("revoked 2")
            await asyncio.wait([joining], timeout=1.0)
            assert not joining.done(), (
                "partitions change hands while a batch is in hand: Agent.revoke does not protect it any more"
            )
            heard.may_go_on.set()
            async with asyncio.timeout(_PATIENCE_S):
                await joining
            await heard.until("assigned 1")
        finally:
            heard.may_go_on.set()
            await asyncio.wait([joining])
            await other.stop()
    begin = heard.told.index("assigned 2")
    assert heard.told[begin : begin + 4] == ["assigned 2", "revoked 2", "went on", "assigned 1"]
