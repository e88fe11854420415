-- The open exceptions that a person asks for, as `which`; what is wanted of them follows. Of a supplier are the
-- shipments that bring its orders, its lead times, and itself as a source.
WITH which AS
(
    SELECT
        exception_id, kind, entity_kind, entity, lane, carrier, site, item,
        toUnixTimestamp64Milli(opened_at) AS opened_ms, detail, acknowledged, acknowledged_by,
        toUnixTimestamp64Milli(acknowledged_until) AS until_ms, note
    FROM exceptions_open
    WHERE (empty({kinds:Array(String)}) OR has({kinds:Array(String)}, kind))
        AND (empty({lanes:Array(String)}) OR has({lanes:Array(String)}, lane))
        AND (empty({sites:Array(String)}) OR has({sites:Array(String)}, site))
        AND ({state:String} = 'all' OR acknowledged = ({state:String} = 'acknowledged'))
        AND
        (
            empty({suppliers:Array(String)})
            OR (entity_kind = 'source' AND has({suppliers:Array(String)}, entity))
            OR (
                entity_kind = 'route' AND startsWith(entity, 'order_to_delivery|')
                AND has({suppliers:Array(String)}, splitByChar('|', entity)[2])
            )
            OR (
                entity_kind = 'shipment' AND entity IN
                (
                    SELECT arrayJoin(shipments)
                    FROM order_lines_now
                    WHERE has({suppliers:Array(String)}, supplier)
                )
            )
        )
)
