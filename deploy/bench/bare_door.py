"""A peer of the gateway: the endpoint that one would write in an afternoon, without checks, tokens or receipts.

It takes a JSON array, sends each element to Kafka (aiokafka, acks=all), and answers 202 when all are acknowledged.

Run as `python -m deploy.bench.bare_door BOOTSTRAP TOPIC`; its first line is its address.
"""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, Request, Response

from deploy.bench.door_load import PATH


def make_app(bootstrap: str, topic: str) -> FastAPI:
    """The application; its producer lives as long as it does."""
    producers: Final[list[AIOKafkaProducer]] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
        await producer.start()
        producers.append(producer)
        yield
        await producer.stop()

    app = FastAPI(lifespan=lifespan)

    @app.post(PATH)
    async def publish(request: Request) -> Response:
        """Take events."""
        events = json.loads(await request.body())
        sent = [await producers[0].send(topic, json.dumps(event).encode()) for event in events]
        await asyncio.gather(*sent)
        return Response(status_code=202)

    return app


def _main(bootstrap: str, topic: str) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)  # noqa: T201  # who waits in the queue is served
        config = uvicorn.Config(
            make_app(bootstrap, topic),
            loop="uvloop",
            http="httptools",
            ws="none",
            log_level="warning",
            access_log=False,
        )
        uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    _main(*sys.argv[1:])
