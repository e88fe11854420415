"""The tables of the demo world: its places, suppliers, goods, carriers and customers. All are made up.

Only the coordinates are real (to two decimals), so that a map shows something a person recognises.
"""

from dataclasses import dataclass
from typing import Final, Literal

Region = Literal["EU", "MA", "TR", "CN", "IN", "US"]
"""Customs territory: goods that cross from one to another may be held."""

Mode = Literal["road", "ocean", "air", "parcel"]

COMPANY: Final = "HALDEN"
"""The trading company that owns the warehouses: it buys from the suppliers and sells to the stores."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place with a name that stands in keys. `zone` is IANA, `offset` the minutes its systems stamp."""

    name: str
    title: str
    latitude: float
    longitude: float
    region: Region
    zone: str
    offset: int


@dataclass(frozen=True, slots=True)
class Depot:
    """A warehouse of the company, with the port and the airport that goods for it come through."""

    place: Place
    port: str
    airport: str
    daily_capacity: int
    stores: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Goods:
    """One article of a supplier.

    `gtin`: twelve digits before the check digit, or empty for an article that has only the supplier's code.
    `pack`: how many units are sold together, in thousandths. `tight`: how generous the reorder point is
    against the expected demand during the lead time; below 1 it runs out now and then.
    """

    code: str
    title: str
    unit: str
    pack: int
    cost: str
    tight: float = 1.25
    gtin: str = ""


@dataclass(frozen=True, slots=True)
class Supplier:
    """A supplier.

    Its goods go by road to near depots, else by sea from `port`, or by air from `airport`. `by_day`: its
    order system knows days only. `cold`: its goods are kept between 2 and 8 degrees Celsius.
    """

    name: str
    place: Place
    currency: str
    goods: tuple[Goods, ...]
    airport: str
    port: str = ""
    cold: bool = False
    by_day: bool = False


@dataclass(frozen=True, slots=True)
class Carrier:
    """A carrier: how often it is late (share of shipments), and on which destinations it is much worse."""

    name: str
    mode: Mode
    late: float
    offset: int
    troubled: tuple[str, ...] = ()


def _eu(name: str, title: str, latitude: float, longitude: float, zone: str, offset: int = 60) -> Place:
    return Place(name, title, latitude, longitude, "EU", f"Europe/{zone}", offset)


def _us(name: str, title: str, latitude: float, longitude: float, zone: str, offset: int) -> Place:
    return Place(name, title, latitude, longitude, "US", f"America/{zone}", offset)


HUBS: Final[tuple[Place, ...]] = (
    _eu("RTM-PORT", "Rotterdam, container port", 51.95, 4.05, "Amsterdam"),
    _eu("HAM-PORT", "Hamburg, container port", 53.51, 9.93, "Berlin"),
    _eu("FOS-PORT", "Fos-sur-Mer, container port", 43.40, 4.87, "Paris"),
    _eu("GOA-PORT", "Genoa, container port", 44.40, 8.90, "Rome"),
    _eu("GDN-PORT", "Gdansk, container port", 54.38, 18.72, "Warsaw"),
    _eu("LEI-PORT", "Leixoes, container port", 41.19, -8.70, "Lisbon", 0),
    _us("NYC-PORT", "New York, container port", 40.67, -74.15, "New_York", -300),
    Place("CAS-PORT", "Casablanca, container port", 33.61, -7.61, "MA", "Africa/Casablanca", 60),
    Place("AMB-PORT", "Ambarli, container port", 40.97, 28.69, "TR", "Europe/Istanbul", 180),
    _eu("AMS-AIR", "Amsterdam, air cargo", 52.31, 4.77, "Amsterdam"),
    _eu("HAJ-AIR", "Hanover, air cargo", 52.46, 9.69, "Berlin"),
    _eu("LYS-AIR", "Lyon, air cargo", 45.72, 5.08, "Paris"),
    _eu("MXP-AIR", "Milan Malpensa, air cargo", 45.63, 8.72, "Rome"),
    _eu("WAW-AIR", "Warsaw, air cargo", 52.17, 20.97, "Warsaw"),
    _us("JFK-AIR", "New York, air cargo", 40.64, -73.78, "New_York", -300),
    _us("ORD-AIR", "Chicago, air cargo", 41.98, -87.90, "Chicago", -360),
    _eu("OPO-AIR", "Porto, air cargo", 41.24, -8.68, "Lisbon", 0),
    Place("IST-AIR", "Istanbul, air cargo", 41.26, 28.74, "TR", "Europe/Istanbul", 180),
    Place("CMN-AIR", "Casablanca, air cargo", 33.37, -7.59, "MA", "Africa/Casablanca", 60),
    Place("HKG-AIR", "Hong Kong, air cargo", 22.31, 113.91, "CN", "Asia/Hong_Kong", 480),
    Place("BLR-AIR", "Bengaluru, air cargo", 13.20, 77.71, "IN", "Asia/Kolkata", 330),
)

DEPOTS: Final[tuple[Depot, ...]] = (
    Depot(
        _eu("RTM-DC", "Rotterdam distribution centre", 51.89, 4.38, "Amsterdam"),
        "RTM-PORT",
        "AMS-AIR",
        9_000,
        (
            _eu("AMS-STORE", "Amsterdam store", 52.37, 4.90, "Amsterdam"),
            _eu("BRU-STORE", "Brussels store", 50.85, 4.35, "Brussels"),
            _eu("CGN-STORE", "Cologne store", 50.94, 6.96, "Berlin"),
        ),
    ),
    Depot(
        _eu("HAM-DC", "Hamburg distribution centre", 53.47, 10.11, "Berlin"),
        "HAM-PORT",
        "HAJ-AIR",
        8_000,
        (
            _eu("BER-STORE", "Berlin store", 52.52, 13.40, "Berlin"),
            _eu("CPH-STORE", "Copenhagen store", 55.68, 12.57, "Copenhagen"),
            _eu("BRE-STORE", "Bremen store", 53.08, 8.80, "Berlin"),
        ),
    ),
    Depot(
        _eu("LYS-DC", "Lyon distribution centre", 45.69, 4.94, "Paris"),
        "FOS-PORT",
        "LYS-AIR",
        6_000,
        (
            _eu("PAR-STORE", "Paris store", 48.86, 2.35, "Paris"),
            _eu("MRS-STORE", "Marseille store", 43.30, 5.37, "Paris"),
            _eu("GVA-STORE", "Annemasse store", 46.19, 6.24, "Paris"),
        ),
    ),
    Depot(
        _eu("MIL-DC", "Milan distribution centre", 45.42, 9.29, "Rome"),
        "GOA-PORT",
        "MXP-AIR",
        6_000,
        (
            _eu("TRN-STORE", "Turin store", 45.07, 7.69, "Rome"),
            _eu("BLQ-STORE", "Bologna store", 44.49, 11.34, "Rome"),
            _eu("VCE-STORE", "Venice store", 45.48, 12.24, "Rome"),
        ),
    ),
    Depot(
        _eu("WAW-DC", "Warsaw distribution centre", 52.16, 20.80, "Warsaw"),
        "GDN-PORT",
        "WAW-AIR",
        5_000,
        (
            _eu("KRK-STORE", "Krakow store", 50.06, 19.94, "Warsaw"),
            _eu("POZ-STORE", "Poznan store", 52.41, 16.93, "Warsaw"),
            _eu("VNO-STORE", "Vilnius store", 54.69, 25.28, "Vilnius", 120),
        ),
    ),
    Depot(
        _us("EWR-DC", "Newark distribution centre", 40.71, -74.14, "New_York", -300),
        "NYC-PORT",
        "JFK-AIR",
        7_000,
        (
            _us("BOS-STORE", "Boston store", 42.36, -71.06, "New_York", -300),
            _us("PHL-STORE", "Philadelphia store", 39.95, -75.17, "New_York", -300),
            _us("DCA-STORE", "Washington store", 38.91, -77.04, "New_York", -300),
        ),
    ),
)

SUPPLIERS: Final[tuple[Supplier, ...]] = (
    Supplier(
        "BOSFOR-TEXTIL",
        Place("IST-PLANT", "Istanbul mill", 41.02, 28.60, "TR", "Europe/Istanbul", 180),
        "EUR",
        (
            Goods("TOWEL-50", "Cotton towel 50 x 100", "pcs", 24_000, "3.40", gtin="952000010001"),
            Goods("SHEET-140", "Bed sheet 140 x 200", "pcs", 12_000, "7.95", gtin="952000010002"),
            Goods("CURTAIN-2", "Curtain, two metres", "pcs", 10_000, "11.20", 0.8),
            Goods("DENIM", "Denim, by the metre", "m", 37_500, "4.10"),
        ),
        airport="IST-AIR",
        port="AMB-PORT",
    ),
    Supplier(
        "ATLAS-CITRUS",
        Place("CAS-FARM", "Casablanca packing house", 33.45, -7.52, "MA", "Africa/Casablanca", 60),
        "EUR",
        (
            Goods("CLEMENTINE", "Clementines", "kg", 62_500, "1.15", 1.0),
            Goods("LEMON", "Lemons", "kg", 50_000, "1.05"),
            Goods("JUICE-1L", "Orange juice 1 l", "pcs", 48_000, "1.60", gtin="952000020001"),
            Goods("OLIVE-5", "Green olives, bucket", "pcs", 12_000, "9.80"),
        ),
        airport="CMN-AIR",
        port="CAS-PORT",
        cold=True,
    ),
    Supplier(
        "DOURO-CERAMICA",
        _eu("OPO-PLANT", "Porto kiln", 41.10, -8.55, "Lisbon", 0),
        "EUR",
        (
            Goods("TILE-20", "Wall tile 20 x 20", "m2", 22_500, "13.75", 0.85),
            Goods("MUG-30", "Mug 30 cl", "pcs", 36_000, "2.20", gtin="952000030001"),
            Goods("PLATE-26", "Dinner plate 26 cm", "pcs", 24_000, "3.10", gtin="952000030002"),
            Goods("VASE-40", "Floor vase 40 cm", "pcs", 6_000, "24.00"),
        ),
        airport="OPO-AIR",
        port="LEI-PORT",
        by_day=True,
    ),
    Supplier(
        "BALTIC-FASTENERS",
        _eu("GDY-PLANT", "Gdynia works", 54.50, 18.50, "Warsaw"),
        "EUR",
        (
            Goods("SCREW-M6", "Screws M6", "kg", 12_500, "6.35"),
            Goods("BOLT-M10", "Bolts M10", "kg", 20_000, "5.90"),
            Goods("ANCHOR-8", "Wall anchors 8 mm", "box", 15_000, "8.45", 0.85, gtin="952000040001"),
            Goods("HINGE-90", "Hinge 90 degrees", "pcs", 40_000, "2.75", gtin="952000040002"),
        ),
        airport="WAW-AIR",
        port="GDN-PORT",
    ),
    Supplier(
        "PEARL-DEVICES",
        Place("SZX-PLANT", "Shenzhen plant", 22.62, 114.06, "CN", "Asia/Shanghai", 480),
        "USD",
        (
            Goods("ROUTER-6", "Wireless router", "pcs", 10_000, "38.50", 0.8, gtin="952000050001"),
            Goods("CABLE-2M", "USB-C cable 2 m", "pcs", 50_000, "2.35", gtin="952000050002"),
            Goods("LAMP-LED", "Desk lamp", "pcs", 12_000, "14.90"),
            Goods("SENSOR-T", "Temperature sensor", "pcs", 20_000, "9.15"),
        ),
        airport="HKG-AIR",
    ),
    Supplier(
        "DECCAN-PHARMA",
        Place("BLR-PLANT", "Bengaluru plant", 12.97, 77.59, "IN", "Asia/Kolkata", 330),
        "USD",
        (
            Goods("INSULIN-10", "Insulin vials, 10 ml", "pack", 20_000, "21.40", 1.4, gtin="952000060001"),
            Goods("VACCINE-FLU", "Influenza vaccine", "pack", 10_000, "46.00", 1.4, gtin="952000060002"),
            Goods("EYEDROPS", "Eye drops", "pack", 30_000, "4.20"),
            Goods("TESTKIT-A", "Test kit A", "pack", 25_000, "12.60", 0.9),
        ),
        airport="BLR-AIR",
        cold=True,
    ),
    Supplier(
        "LAKES-INSTRUMENTS",
        _us("ORD-PLANT", "Chicago workshop", 41.79, -87.75, "Chicago", -360),
        "USD",
        (
            Goods("GAUGE-10", "Pressure gauge 10 bar", "pcs", 8_000, "27.30", gtin="952000070001"),
            Goods("VALVE-2", "Ball valve 2 inch", "pcs", 6_000, "33.10", 0.85),
            Goods("METER-F", "Flow meter", "pcs", 4_000, "118.00"),
            Goods("SEAL-SET", "Seal set", "box", 20_000, "7.70"),
        ),
        airport="ORD-AIR",
    ),
    Supplier(
        "JURA-CREMERIE",
        _eu("DIJ-DAIRY", "Dijon dairy", 47.32, 5.04, "Paris"),
        "EUR",
        (
            Goods("COMTE-12", "Comte, 12 months", "kg", 25_000, "14.60", 0.9),
            Goods("BUTTER-250", "Butter 250 g", "pcs", 80_000, "1.95", gtin="952000080001"),
            Goods("YOGURT-4", "Yogurt, four cups", "pcs", 60_000, "1.45", 1.0, gtin="952000080002"),
            Goods("CREAM-1", "Cream 1 l", "pcs", 40_000, "3.30", 0.9),
        ),
        airport="LYS-AIR",
        cold=True,
    ),
)

CARRIERS: Final[tuple[Carrier, ...]] = (
    Carrier("NORTHGATE-LINES", "ocean", 0.18, 60, ("HAM-DC", "WAW-DC")),
    Carrier("CORMORANT-SHIPPING", "ocean", 0.25, 0, ("MIL-DC",)),
    Carrier("SWIFTLARK-AIR", "air", 0.12, 60, ("EWR-DC",)),
    Carrier("AURELIA-CARGO", "air", 0.22, 480, ("RTM-DC", "MIL-DC")),
    Carrier("MERROW-HAULAGE", "road", 0.14, 60, ("MIL-DC", "VCE-STORE")),
    Carrier("PALISADE-ROAD", "road", 0.10, 60, ("BRU-STORE", "BOS-STORE")),
    Carrier("BRIGHTWHEEL", "road", 0.20, 120, ("WAW-DC", "VNO-STORE")),
    Carrier("PIGEONHOLE-PARCEL", "parcel", 0.09, 60, ("PAR-STORE",)),
    Carrier("DOORSTEP-EXPRESS", "parcel", 0.16, 60, ("CPH-STORE", "DCA-STORE")),
)
