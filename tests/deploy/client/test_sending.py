"""What `send` does with what a gateway answers, without a spool."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deploy.client import Client, Receipt, Retrying, Undelivered
from deploy.client.delivering import Delivery, NotDelivered
from deploy.client.gateway import Gateway
from schemas.contracts_examples import EXAMPLES
from schemas.errors import Unreachable, WrongInput
from schemas.warehouse import Received
from schemas.wire import event_types
from tests.deploy.client import fake_gateway as does
from tests.deploy.client.fake_gateway import Deed, FakeGateway
from tests.deploy.client.said import HASTY, numbered, received


@pytest.fixture
def client(gateway: FakeGateway) -> Iterator[Client]:
    """One that is quick to try again."""
    with Client(gateway.url, "secret", retrying=HASTY, timeout_s=5) as told:
        yield told


def statuses(receipts: list[Receipt]) -> list[str]:
    return [receipt.status for receipt in receipts]


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_type_goes_out_as_a_mapping_and_as_a_model(client: Client, gateway: FakeGateway, kind: str) -> None:
    model = event_types()[kind].model_validate_json(json.dumps(EXAMPLES[kind]))
    assert statuses(client.send([EXAMPLES[kind], model])) == ["accepted", "accepted"]
    first, second = (event_types()[kind].model_validate_json(line) for line in gateway.taken)
    assert first == second == model


def test_what_the_contract_refuses_stays_here_and_the_rest_goes(client: Client, gateway: FakeGateway) -> None:
    told = client.send([received("a"), received("b", item="nonsense"), b"{", "[]", received("c", when=object())])
    assert statuses(told) == ["accepted", *["refused"] * 4]
    assert (told[1].source, told[1].event_id, told[1].field) == ("acme-wms", "b", "item")
    assert told[1].reason.startswith('item "nonsense" is not an item: write a GTIN')
    assert [receipt.index for receipt in told] == [0, 1, 2, 3, 4]
    assert gateway.ids == ["a"]


def test_one_event_needs_no_list(client: Client, gateway: FakeGateway) -> None:
    moment = "2026-04-16T09:00:00+02:00"
    event = Received.model_validate(received("a", occurred_at=moment, quantity=Decimal(5)))
    for one in (event, received("b"), b'{"no": 1}', "no"):
        assert len(client.send(one)) == 1
    assert client.send([]) == []
    assert gateway.ids == ["a", "b"]


def test_the_bytes_of_a_line_stay_as_they_are_but_for_line_ends(client: Client, gateway: FakeGateway) -> None:
    raw = str(received("a")).replace("'", '"').replace(", ", " ,\r\n  ").encode()
    assert statuses(client.send(raw)) == ["accepted"]
    assert gateway.taken == [raw.replace(b"\r", b" ").replace(b"\n", b" ")]


def test_batches_of_500_are_compressed_where_that_pays(client: Client, gateway: FakeGateway) -> None:
    assert set(statuses(client.send(iter(numbered(0, 1_001))))) == {"accepted"}
    assert [len(request.lines) for request in gateway.requests] == [500, 500, 1]
    assert [request.encoding for request in gateway.requests] == ["gzip", "gzip", ""]
    assert gateway.requests[0].size * 10 < sum(map(len, gateway.requests[0].lines))
    assert gateway.ids == [f"e{number}" for number in range(1_001)]
    assert len({request.key for request in gateway.requests}) == 3


def test_a_gateway_without_gzip_gets_it_plain(client: Client, gateway: FakeGateway) -> None:
    gateway.script.append(does.answering(415))
    assert set(statuses(client.send(numbered(0, 20)))) == {"accepted"}
    client.send(numbered(20, 40))
    assert [request.encoding for request in gateway.requests] == ["gzip", "", ""]


@pytest.mark.parametrize(
    "deed",
    [
        does.answering(429),
        does.answering(503, Retry_After="0"),
        does.answering(500),
        does.answering(409),
        does.cut,
        does.drop,
        does.mumble,
    ],
)
def test_what_may_pass_is_tried_again_under_the_same_key(client: Client, gateway: FakeGateway, deed: Deed) -> None:
    client.send(received("first"))
    gateway.script.extend([deed, deed])
    assert statuses(client.send([received("a"), received("b")])) == ["accepted", "accepted"]
    # A connection that was kept and is found closed is replaced at once, which costs no try.
    assert len(gateway.requests) in {4, 5}
    assert len({request.key for request in gateway.requests[1:]}) == 1
    assert gateway.ids[-2:] == ["a", "b"]


def test_a_gateway_that_hangs_costs_its_timeout_and_a_try(gateway: FakeGateway) -> None:
    gateway.script.append(does.hang)
    with Client(gateway.url, "secret", retrying=HASTY, timeout_s=0.3) as client:
        assert statuses(client.send(received("a"))) == ["accepted"]
    assert len({request.key for request in gateway.requests}) == 1
    assert len(gateway.requests) == 2


def test_when_the_tries_are_used_up_the_error_has_the_receipts_so_far(client: Client, gateway: FakeGateway) -> None:
    gateway.script.append(does.accept)
    gateway.usual = does.answering(503, "The broker is away.")
    with pytest.raises(
        Undelivered, match=r"took nothing of the last 100 events \(503: The broker is away\.\)"
    ) as error:
        client.send([received("bad", item="?"), *numbered(0, 599)])
    assert statuses(list(error.value.receipts)) == ["refused", *["accepted"] * 499]
    assert error.value.exit_code == 3
    assert len(gateway.requests) == 1 + HASTY.tries


def test_a_long_retry_after_is_honoured_by_all_that_follows(client: Client, gateway: FakeGateway) -> None:
    gateway.usual = does.answering(429, "Slowly.", Retry_After="60")
    for _ in range(3):
        with pytest.raises(Undelivered):
            client.send(received("a"))
    assert len(gateway.requests) == 1


def test_the_waits_are_random_below_a_limit_that_doubles(gateway: FakeGateway) -> None:
    waits: list[float] = []

    def rest(wait: float) -> bool:
        waits.append(wait)
        return False

    gateway.usual = does.answering(503)
    delivery = Delivery(Gateway(gateway.url, "secret", 5), Retrying(tries=8, first_s=1, longest_s=10), rest)
    with pytest.raises(NotDelivered):
        delivery.deliver("key", [b'{"event_id":"a","source":"b"}'])
    assert all(0 <= wait <= limit for wait, limit in zip(waits, [1, 2, 4, 8, 10, 10, 10], strict=True))


@pytest.mark.parametrize(("status", "word"), [(401, "token"), (403, "token"), (404, "address"), (308, "moved to")])
def test_what_stays_as_it_is_is_not_tried_again(client: Client, gateway: FakeGateway, status: int, word: str) -> None:
    gateway.usual = does.answering(status, "It is so.", Location="https://elsewhere.example")
    if status != 308:
        gateway.usual = does.answering(status, "It is so.")
    with pytest.raises(WrongInput, match=word) as error:
        client.send(received("a"))
    assert "secret" not in str(error.value)
    assert len(gateway.requests) == 1


def test_what_the_gateway_refuses_is_told_for_each_event(client: Client, gateway: FakeGateway) -> None:
    gateway.script.extend([does.refusing("e1"), does.refusing("e3"), does.refusing("e4", status=403)])
    told = [*client.send(numbered(0, 3)), *client.send(numbered(3, 4)), *client.send(numbered(4, 5))]
    assert statuses(told) == ["accepted", "refused", "accepted", "refused", "refused"]
    assert (told[1].cause, told[1].field, told[1].reason) == ("invalid", "item", "It moved.")
    assert len(gateway.requests) == 3


def test_a_key_that_the_gateway_knows_for_something_else_is_replaced(client: Client, gateway: FakeGateway) -> None:
    gateway.script.append(does.answering(422, "The key was sent before with another request."))
    assert statuses(client.send(numbered(0, 2))) == ["accepted", "accepted"]
    assert len({request.key for request in gateway.requests}) == 2


def test_what_is_too_large_goes_in_parts(client: Client, gateway: FakeGateway) -> None:
    gateway.usual = does.at_most(3)
    told = client.send(numbered(0, 10))
    assert statuses(told) == ["accepted"] * 10
    assert [receipt.index for receipt in told] == list(range(10))
    assert gateway.ids == [f"e{number}" for number in range(10)]
    gateway.usual = does.at_most(0)
    (refused,) = client.send(received("a"))
    assert (refused.status, refused.cause) == ("refused", "too_large")


def test_threads_share_a_client(client: Client, gateway: FakeGateway) -> None:
    def work(base: int) -> None:
        for number in range(20):
            client.send(received(f"t{base}-{number}"))

    threads = [threading.Thread(target=work, args=(base,)) for base in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(gateway.ids)) == len(gateway.ids) == 80
    for base in range(4):
        mine = [told for told in gateway.ids if told.startswith(f"t{base}-")]
        assert mine == [f"t{base}-{number}" for number in range(20)]


def test_a_token_file_is_read_again_once_the_token_is_no_longer_known(gateway: FakeGateway, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")

    def only_new(handler: Any, request: does.Request) -> None:
        (does.accept if request.token == "new" else does.answering(401))(handler, request)  # noqa: S105  # a fake one

    with Client(gateway.url, file, retrying=HASTY) as client:
        gateway.usual = only_new
        with pytest.raises(WrongInput):
            client.send(received("a"))
        file.write_text("new\n")
        assert statuses(client.send(received("a"))) == ["accepted"]


def test_status_and_rejections_are_what_the_gateway_tells(client: Client, gateway: FakeGateway) -> None:
    gateway.answers["/v1/events/acme%20wms/mv%2F1"] = (200, {"state": "accepted", "new": 1})
    first = {"rejections": [{"cause": "invalid"}], "more": True, "next_since": "2026-11-22T10:00:00.000Z"}
    gateway.answers["/v1/rejections?since=1970-01-01T00%3A00%3A00.000Z&limit=1000"] = (200, first)
    second = {"rejections": [{"cause": "late"}], "more": False, "next_since": "2026-11-22T10:00:00.000Z"}
    gateway.answers["/v1/rejections?since=2026-11-22T10%3A00%3A00.000Z&limit=1000"] = (200, second)
    gateway.answers["/v1/events/a/busy"] = (503, {"detail": "Wait."})
    assert client.status("acme wms", "mv/1") == {"state": "accepted", "new": 1}
    assert client.status("acme wms", "mv/2") is None
    assert client.rejections(0) == [{"cause": "invalid"}, {"cause": "late"}]
    assert client.rejections(datetime(2026, 11, 22, 10, tzinfo=UTC)) == [{"cause": "late"}]
    with pytest.raises(Unreachable, match="Wait"):
        client.status("a", "busy")


@pytest.mark.parametrize(
    ("url", "token", "word"),
    [
        ("http://quayside.example.com", "secret", "unencrypted"),
        ("ftp://quayside.example.com", "secret", "no URL"),
        ("https://", "secret", "no URL"),
        ("https://quayside.example.com:x", "secret", "no URL"),
        ("https://quayside.example.com", "two words", "token"),
        ("https://quayside.example.com", Path("/nowhere/token"), "/nowhere/token"),
    ],
)
def test_what_cannot_be_used_is_told_at_once(url: str, token: str | Path, word: str) -> None:
    with pytest.raises(WrongInput, match=word):
        Client(url, token)


def test_a_gateway_that_is_not_there_is_unreachable(gateway: FakeGateway) -> None:
    with Client("http://127.0.0.1:9", "secret", retrying=HASTY, timeout_s=2) as client:
        with pytest.raises(Undelivered, match="Connection refused"):
            client.send(received("a"))
        with pytest.raises(Unreachable):
            client.status("a", "b")
    assert gateway.requests == []


def test_a_closed_client_says_so(client: Client) -> None:
    client.close()
    with pytest.raises(WrongInput, match="closed"):
        client.send(received("a"))
