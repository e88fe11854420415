"""A broken producer: a few bad records are dead letters, a storm of them stops the stack with a sentence."""

from pathlib import Path

from kafka import KafkaProducer

from tests.e2e.recent import movement
from tests.e2e.stack import Stack, await_, new_stack

GOOD = movement("received", 1, 5, site="CALM")


def send(stack: Stack, bad: int) -> None:
    """To Kafka directly, as a program of somebody's own does; all under one key, so to one partition."""
    file = stack.file()
    assert file is not None
    with KafkaProducer(bootstrap_servers=file.kafka) as producer:
        producer.send("warehouse.events", key=b"CALM|acme:4711", value=GOOD.raw)
        for number in range(bad):
            producer.send("warehouse.events", key=b"CALM|acme:4711", value=b'{"broken": %d}' % number)
        producer.flush()


def test_a_poisoned_record_costs_itself_and_a_storm_of_them_stops_the_stack(tmp_path: Path) -> None:
    with new_stack(tmp_path / "data") as stack:
        process = stack.begin("up")
        try:
            await_("it is ready", stack.is_ready)
            send(stack, bad=3)
            stack.settled()
            assert stack.row("SELECT toInt64(on_hand) FROM stock_now WHERE site = 'CALM'") == [5]
            assert stack.status()["dead"] == 3
            send(stack, bad=1_500)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 2, said
    sentence = said.decode()
    assert (
        "records of warehouse.events could not be read, more than the share of 0.5 that QUAYSIDE_BAD_SHARE" in sentence
    )
    assert "Traceback" not in sentence
