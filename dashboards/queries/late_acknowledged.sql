-- one row: in_hand, the number of late shipments that somebody has in hand
SELECT count() AS in_hand
FROM late_shipments
WHERE acknowledged = 1
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
