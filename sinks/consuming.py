"""What the history sink has to know of its broker and of aiokafka."""

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from schemas.errors import Unreachable, WrongInput
from streams.connection import for_aiokafka, refusal


async def partitions_of(bootstrap: str, topics: Iterable[str]) -> list[Any]:
    """All partitions of these topics, as aiokafka's TopicPartition.

    Raises:
        Unreachable: The broker does not answer.
        WrongInput: It lacks one of the topics.
    """
    wanted = list(topics)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **for_aiokafka())
    try:
        await admin.start()
        existing = set(await admin.list_topics())
        missing = [topic for topic in wanted if topic not in existing]
        if missing:
            raise WrongInput(
                f"The broker at {bootstrap} lacks the topics {', '.join(missing)}: "
                "create them with `quayside topics create`."
            )
        described = await admin.describe_topics(wanted)
    except (KafkaConnectionError, KafkaError, OSError) as error:
        raise Unreachable(await refused(bootstrap, error)) from error
    finally:
        await admin.close()
    return [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in described
        for partition in topic["partitions"]
    ]


async def refused(bootstrap: str, error: BaseException) -> str:
    """Why there was no connection, in one sentence."""
    return await asyncio.to_thread(refusal, bootstrap) or unreachable(bootstrap, error)


def unreachable(bootstrap: str, error: BaseException) -> str:
    """That there is no answer, in one sentence."""
    return f"The broker at {bootstrap} does not answer ({error}): check that it runs and QUAYSIDE_KAFKA names it."


def lighten(consumer: Any) -> None:
    """Have the records that aiokafka has fetched, but not unpacked yet, handed out as its parser makes them.

    They have offset, timestamp, key, value and headers; the dataclass with eleven fields that it makes of each costs
    as much as parsing does. What comes in while it is waited for is handed out as dataclasses.
    """
    for fetched in consumer._fetcher._records.values():  # noqa: SLF001  # aiokafka is pinned (pyproject.toml)
        unpacked = getattr(fetched, "_partition_records", None)
        if unpacked is not None:
            unpacked._consumer_record = _as_parsed  # noqa: SLF001  # as above


def _as_parsed(_place: Any, record: Any) -> Any:
    return record
