-- one row per carrier of any shipment: carrier (? where nobody told it)
SELECT DISTINCT if(carrier = '', '?', carrier) AS carrier_name
FROM shipments_now
ORDER BY carrier_name
