-- one row: open_shipments, the number of shipments neither delivered, returned nor cancelled
SELECT count() AS open_shipments
FROM shipments_now
WHERE open = 1
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
