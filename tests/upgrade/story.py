"""A few hundred events that bring every kind of state about: what the fixture of a release is made of.

Every promise and plan is past and every acknowledgement lasts, so that no figure changes because time passes. Told of
the last two days, so that nothing is closed when it comes; what is to be late or history is twenty days old.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

_SEED: Final = 20
_SITES: Final = ("BER", "NBO", "LOS")
_ITEMS: Final = ("acme:4711", "acme:4712", "zeta:9")
_UNITS: Final = {"acme:4711": "pack", "acme:4712": "piece", "zeta:9": "kg"}
_OLD_H: Final = -18 * 24.0
_PLANNED: Final = ("departed", "arrived", "delivered")


class Story:
    """The events by the way in which they are published. Hours count from two days before `now`."""

    def __init__(self, now: datetime | None = None) -> None:
        self._begin: Final = (now or datetime.now(UTC)).replace(microsecond=0) - timedelta(hours=48)
        self._random: Final = Random(_SEED)
        orders = [told for number in range(24) for told in self._order(number)]
        shipments = [told for number in range(24) for told in self._shipment(number)]
        stock = [told for number in range(90) for told in self._movements(number)]
        self.fresh: Final = [*self._references(), *orders, *shipments, *stock, *self._corrections(orders, stock)]
        self.old: Final = [self._movement("received", 900 + number, 3, at=_OLD_H + number) for number in range(12)]
        """A backlog; published as history it is applied, and its days close then."""
        self.late: Final = [self._movement("shipped", 950 + number, 1, at=_OLD_H) for number in range(5)]
        """As old, published as news: too late to be applied."""
        self.bad: Final = [b"{", b'{"type": "teleported"}', _raw(orders[0] | {"colour": "blue"}), b"\xff\xfe"]
        self.acknowledged: Final = self._acknowledgements()

    @staticmethod
    def lines(events: Iterable[dict[str, Any]]) -> bytes:
        """Events as NDJSON."""
        return b"\n".join(map(_raw, events)) + b"\n"

    def _event(self, source: str, kind: str, event_id: str, hour: float, **said: Any) -> dict[str, Any]:
        at = (self._begin + timedelta(hours=hour)).isoformat()
        return {"event_id": event_id, "source": source, "type": kind, "occurred_at": at, "recorded_at": at} | said

    def _moment(self, hour: float) -> str:
        return (self._begin + timedelta(hours=hour)).isoformat()

    def _line(self, number: int, **said: Any) -> dict[str, Any]:
        item = _ITEMS[number % 3]
        return {"line_id": "1", "item": item, "quantity": str(5 + number), "unit": _UNITS[item]} | said

    def _order(self, number: int) -> list[dict[str, Any]]:
        order = f"PO-{number:03d}"
        about = {"order_id": order}
        promised = self._moment(20 + number % 7)
        line = self._line(number, promised_at=promised, unit_cost="12.50", currency="EUR")
        events = [
            self._event(
                "erp", "order_placed", f"{order}/placed", 1, **about,
                supplier="Acme" if number % 2 else "Zeta", buyer="Bolt", lines=[line, line | {"line_id": "2"}],
            ),
            self._event(
                "erp", "order_confirmed", f"{order}/confirmed", 2, **about,
                lines=[{"line_id": "1", "promised_at": self._moment(22 + number % 5)}],
            ),
        ]  # fmt: skip
        if number % 6 == 4:
            changed = [{"line_id": "2", "quantity": "3"}]
            events.append(self._event("erp", "order_changed", f"{order}/changed", 3, **about, lines=changed))
        if number % 6 == 5:
            events.append(self._event("erp", "order_cancelled", f"{order}/cancelled", 4, **about, line_ids=["2"]))
        if number % 6 == 3:
            notice = about | {"shipment_id": f"SH-{number:03d}", "supplier": "Acme", "lines": [self._line(number)]}
            events.append(self._event("erp", "advance_ship_notice", f"{order}/asn", 4, **notice))
        return events

    def _shipment(self, number: int) -> list[dict[str, Any]]:
        name = f"SH-{number:03d}"
        destination = _SITES[number % 3]
        line = self._line(number, order_id=f"PO-{number:03d}", promised_at=self._moment(24))
        about: dict[str, Any] = {
            "shipment_id": name, "carrier": ("Swift", "Steady")[number % 2], "mode": "road", "origin": "HAM",
            "destination": destination, "promised_at": self._moment(24 + number % 4), "lines": [line],
        }  # fmt: skip
        booked = self._milestone(name, "booked", 5, **about)
        plans = [
            self._milestone(name, milestone, 10 + 5 * step, "planned", recorded_at=self._moment(5))
            for step, milestone in enumerate(_PLANNED)
        ]
        reached = ("departed", "arrived", "delivered")[: number % 4]
        delay = self._random.randrange(0, 12)
        actual = [self._milestone(name, one, 9 + delay + 6 * step) for step, one in enumerate(reached)]
        readings = [
            self._event(
                "gps", "condition", f"{name}/condition/{n}", 12 + n, shipment_id=name,
                temperature=str(9 + 3 * (number % 5)), temperature_max="15",
            )
            for n in range(3 if number % 5 > 2 else 1)
        ]  # fmt: skip
        where = {"shipment_id": name, "latitude": "53.5", "longitude": "10.0"}
        events = [booked, *plans, *actual, *readings, self._event("gps", "position", f"{name}/position", 13, **where)]
        if number % 4 == 3:
            events.append(
                self._movement("received", 500 + number, 5 + number - (number % 3 == 0), 30, site=destination,
                               item=line["item"], unit=line["unit"], references={"shipment_id": name})
            )  # fmt: skip
        if number % 12 == 10:
            events.append(self._milestone(name, "cancelled", 33))
        return events

    def _milestone(self, shipment: str, name: str, hour: float, classifier: str = "actual", **said: Any) -> Any:
        about = {"shipment_id": shipment, "milestone": name, "classifier": classifier, "leg": 1}
        return self._event("tms", "milestone", f"{shipment}/{name}/{classifier}", hour, **(about | said))

    def _movements(self, number: int) -> list[dict[str, Any]]:
        site, item = _SITES[number % 3], _ITEMS[(number // 3) % 3]
        kind = self._random.choice(
            ("received", "received", "received", "shipped", "adjusted", "counted", "reserved", "released", "scrapped",
             "quarantined", "restored", "picked", "packed", "put_away", "returned")
        )  # fmt: skip
        at = 6 + self._random.randrange(0, 38)
        return [self._movement(kind, number, self._random.randrange(1, 40), at, site, item, _UNITS[item])]

    def _movement(
        self,
        kind: str,
        number: int,
        quantity: float,
        at: float,
        site: str = "BER",
        item: str = "acme:4711",
        unit: str = "pack",
        **said: Any,
    ) -> dict[str, Any]:
        about = {"site": site, "item": item, "unit": unit, "quantity": str(quantity)}
        return self._event("wms", kind, f"wms/{number}", at, **about, **said)

    def _corrections(self, orders: list[dict[str, Any]], stock: list[dict[str, Any]]) -> list[dict[str, Any]]:
        later = {"recorded_at": self._moment(46)}
        return [
            *(told | later | {"quantity": "77"} for told in stock[3:20:4]),
            *(told | later | {"retracted": True} for told in stock[5:30:6]),
            *(told | later | {"retracted": True} for told in orders if told["event_id"] == "PO-007/confirmed"),
            *stock[:10],
        ]

    def _references(self) -> list[dict[str, Any]]:
        return [
            self._event(
                "master",
                "site_described",
                f"site/{site}",
                0,
                site=site,
                name=site,
                latitude="50.0",
                longitude=str(10 + number),
            )
            for number, site in enumerate(_SITES)
        ]

    def _acknowledgements(self) -> list[dict[str, Any]]:
        return [
            self._event(
                "board", "acknowledged", f"ack/{number}", 47, exception_id=f"late_delivery/shipment/SH-{number:03d}",
                by="Kim", until="2099-01-01T00:00:00Z", note="the carrier was called",
            )
            for number in (0, 1)
        ]  # fmt: skip


def _raw(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()
