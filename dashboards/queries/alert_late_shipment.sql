-- one row per late shipment that is not withheld, at most as many as the setting says, the longest late first:
-- shipment_id, lane, carrier, late (1; 0 where somebody has it in hand)
SELECT
    toString(shipment_id) AS shipment_id,
    toString(lane) AS lane,
    if(carrier = '', '?', toString(carrier)) AS carrier,
    toFloat64(acknowledged = 0) AS late
FROM late_shipments
WHERE shipment_id NOT IN (SELECT shipment_id FROM late_withheld)
ORDER BY due_at, shipment_id
LIMIT @{late_shipment.at_most}
