"""A small history written straight into the store's tables, with figures that can be counted by hand.

Six shipments: A1, A2 late on AAA>BBB (A2 acknowledged), A3 open and in time on it; C1 late on CCC>?, without
a carrier; D1 delivered, D2 cancelled. A1 is late by 80 hours, A2 by 10, C1 by 2.
"""

from typing import Final

INSERTS: Final = (
    "INSERT INTO epochs (epoch, started_at, ended_at) VALUES (1, now(), now())",
    """
    INSERT INTO shipment_status (
        epoch, version, shipment_id, status, leg, final, carrier, mode, origin, destination, lane,
        promised_at, due_at, late, late_ms, orders,
        `milestones.leg`, `milestones.milestone`, `milestones.planned_at`, `milestones.planned_due_at`,
        `milestones.estimated_at`, `milestones.actual_at`, `milestones.inferred`, `milestones.location`
    )
    SELECT
        1, number, id, status, 1, final, carrier, 'sea', 'AAA', 'BBB', lane,
        now64(3, 'UTC') - INTERVAL hours HOUR, now64(3, 'UTC') - INTERVAL hours HOUR, 0, 0, ['O1'],
        [1, 1], ['departed', 'arrived'],
        [now64(3, 'UTC') - INTERVAL 90 HOUR, now64(3, 'UTC') - INTERVAL hours HOUR],
        [now64(3, 'UTC') - INTERVAL 90 HOUR, now64(3, 'UTC') - INTERVAL hours HOUR],
        [NULL, NULL], [now64(3, 'UTC') - INTERVAL 89 HOUR, NULL], [0, 0], ['AAA', 'BBB']
    FROM values(
        'number UInt64, id String, lane String, carrier String, status String, final UInt8, hours Int32',
        (1, 'A1', 'AAA>BBB', 'MSC', 'departed', 0, 80),
        (2, 'A2', 'AAA>BBB', 'DHL', 'departed', 0, 10),
        (3, 'A3', 'AAA>BBB', 'DHL', 'departed', 0, -10),
        (4, 'C1', 'CCC>?', '', 'departed', 0, 2),
        (5, 'D1', 'DDD>EEE', 'MSC', 'delivered', 1, 5),
        (6, 'D2', 'DDD>EEE', 'MSC', 'cancelled', 1, 5)
    )
    """,
    """
    INSERT INTO operator_events (
        epoch, partition, offset, appended_at, entity, source, event_id, type, occurred_at, recorded_at,
        operator, until, note
    )
    VALUES (
        1, 0, 0, now(), 'late_delivery/shipment/A2', 'desk', 'ack-1', 'acknowledged', now(), now(),
        'kim', now() + INTERVAL 1 HOUR, 'carrier called'
    )
    """,
    """
    INSERT INTO shipment_events (
        epoch, partition, offset, appended_at, shipment_id, source, event_id, type, occurred_at, recorded_at,
        retracted, raw, milestone, classifier, leg
    )
    SELECT
        1, 0, number, now64(3, 'UTC') - INTERVAL 5 MINUTE, ['A1', 'A2', 'C1'][1 + number % 3], 'carrier',
        concat('e-', toString(number)), 'milestone', now64(3, 'UTC') - INTERVAL 90 - number HOUR,
        now64(3, 'UTC') - INTERVAL 1 HOUR, number = 5, '{}', ['picked_up', 'departed'][1 + intDiv(number, 3)],
        'actual', 1
    FROM numbers(6)
    """,
    """
    INSERT INTO supplier_events (
        epoch, partition, offset, appended_at, order_id, source, event_id, type, occurred_at, recorded_at
    )
    SELECT 1, 0, number, now64(3, 'UTC') - INTERVAL 5 MINUTE, 'O1', 's', toString(number), 'order_placed', now(), now()
    FROM numbers(4)
    """,
    """
    INSERT INTO warehouse_events (
        epoch, partition, offset, appended_at, site, item, source, event_id, type, occurred_at, recorded_at
    )
    VALUES (1, 0, 0, now64(3, 'UTC') - INTERVAL 1 MINUTE, 'S', 'i', 's', 'w', 'received', now(), now())
    """,
    """
    INSERT INTO dead_letter_records (epoch, topic, partition, offset, appended_at, source, cause, reason, value)
    VALUES (1, 'shipment.events', 0, 9, now(), '', 'not_json', 'it is no JSON', unhex('FF7B'))
    """,
    """
    INSERT INTO exceptions (
        epoch, version, entity, `open.exception_id`, `open.kind`, `open.opened_at`, `open.detail`
    )
    VALUES (1, 1, 'stock/S|i', ['negative_stock/stock/S|i'], ['negative_stock'], [now()], ['below zero'])
    """,
    """
    INSERT INTO order_status (
        epoch, version, order_id, status, supplier, ordered_at, final, `lines.line_id`, `lines.status`, `lines.item`,
        `lines.unit`, `lines.ordered`, `lines.shipped`, `lines.delivered`, `lines.requested_at`,
        `lines.promised_at`, `lines.due_at`, `lines.delivered_at`, `lines.late`, `lines.late_ms`,
        `lines.unit_cost_micros`, `lines.currency`, `lines.shipments`, `lines.findings`
    )
    SELECT
        1, number, concat('O', toString(number)), 'delivered', 'sup', now(), 1, ['1'], ['delivered'], ['i'],
        ['each'], [1000], [1000], [1000], [NULL],
        [now64(3, 'UTC')], [now64(3, 'UTC')], [now64(3, 'UTC')], [number = 0], [0],
        [NULL], [''], [['D1']], [[]]
    FROM numbers(4)
    """,
)
