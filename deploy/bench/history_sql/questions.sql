-- What people ask the views: `-- NAME`, then one statement, ended by a semicolon.
-- orders_now: one order
SELECT * FROM orders_now WHERE order_id = {order:String};
-- orders_now: by status
SELECT status, count(), sum(late_lines) FROM orders_now GROUP BY status;
-- orders_now: open by supplier
SELECT supplier, count(), sum(late_lines) AS late FROM orders_now WHERE final = 0 GROUP BY supplier ORDER BY late DESC LIMIT 20;
-- order_lines_now: one order
SELECT * FROM order_lines_now WHERE order_id = {order:String};
-- order_lines_now: late now, the worst 50
SELECT order_id, line_id, supplier, late_days FROM order_lines_now WHERE late_now = 1 ORDER BY late_days DESC LIMIT 50;
-- order_lines_now: one item
SELECT count(), sum(ordered) FROM order_lines_now WHERE item = {item:String};
-- shipments_now: one shipment
SELECT * FROM shipments_now WHERE shipment_id = {shipment:String};
-- shipments_now: count
SELECT count() FROM shipments_now;
-- shipments_now: by status
SELECT status, count() FROM shipments_now GROUP BY status;
-- shipments_now: open by lane
SELECT lane, count(), countIf(late_now = 1) FROM shipments_now WHERE open = 1 GROUP BY lane;
-- shipments_now: delivered in 90 days by day
SELECT toDate(delivered_at) AS day, count(), countIf(delivered_late = 1) FROM shipments_now
WHERE delivered_at >= now() - INTERVAL 90 DAY GROUP BY day ORDER BY day;
-- shipments_now: last 24 hours
SELECT shipment_id, lane, delivered_at FROM shipments_now WHERE delivered_at >= now() - INTERVAL 1 DAY
ORDER BY delivered_at DESC LIMIT 100;
-- shipments_now: of one lane
SELECT status, count() FROM shipments_now WHERE lane = {lane:String} GROUP BY status;
-- late_shipments: count
SELECT count() FROM late_shipments;
-- late_shipments: by lane
SELECT lane, count(), max(late_hours) FROM late_shipments GROUP BY lane ORDER BY count() DESC;
-- late_shipments: the worst 5, whole rows
SELECT * FROM late_shipments ORDER BY late_hours DESC LIMIT 5;
-- shipment_milestones: one shipment
SELECT * FROM shipment_milestones WHERE shipment_id = {shipment:String} ORDER BY leg, planned_at;
-- shipment_milestones: overdue now
SELECT count() FROM shipment_milestones WHERE overdue_now = 1;
-- shipment_milestones: overdue by milestone
SELECT milestone, count() FROM shipment_milestones WHERE overdue_now = 1 GROUP BY milestone;
-- stock_now: one position
SELECT * FROM stock_now WHERE site = {site:String} AND item = {item:String};
-- stock_now: of one site
SELECT item, on_hand, available FROM stock_now WHERE site = {site:String} ORDER BY available LIMIT 100;
-- stock_now: all
SELECT count(), sum(on_hand) FROM stock_now;
-- lead_time_stats: all routes together
SELECT * FROM lead_time_stats WHERE route = 'all';
-- lead_time_stats: the slowest lanes
SELECT route, n, p95_days FROM lead_time_stats WHERE measure = 'transit' AND window = '90d' ORDER BY p95_days DESC LIMIT 20;
-- exceptions_open: by kind
SELECT kind, count() FROM exceptions_open GROUP BY kind;
-- exceptions_open: the latest 50, whole rows
SELECT * FROM exceptions_open ORDER BY opened_at DESC LIMIT 50;
-- exceptions_open: of one shipment
SELECT * FROM exceptions_open WHERE entity = {shipment:String};
-- on_time_daily: 7 days
SELECT day, sum(on_time), sum(late) FROM on_time_daily WHERE day >= today() - 7 GROUP BY day ORDER BY day;
-- on_time_daily: 90 days by day
SELECT day, sum(on_time), sum(late) FROM on_time_daily WHERE day >= today() - 90 GROUP BY day ORDER BY day;
-- on_time_daily: 90 days by lane
SELECT lane, sum(lines), sum(late) FROM on_time_daily WHERE day >= today() - 90 GROUP BY lane ORDER BY sum(late) DESC LIMIT 20;
-- on_time_daily: everything by supplier
SELECT supplier, sum(lines), sum(on_time) / (sum(on_time) + sum(late)) FROM on_time_daily GROUP BY supplier;
-- dead_letters: 24 hours by source
SELECT source, cause, count() FROM dead_letters WHERE arrived_at >= now() - INTERVAL 1 DAY GROUP BY source, cause;
-- dead_letters: all by source
SELECT source, cause, count() FROM dead_letters GROUP BY source, cause ORDER BY count() DESC;
-- dead_letters: the latest 50
SELECT arrived_at, source, reason, value FROM dead_letters ORDER BY arrived_at DESC LIMIT 50;
-- late_records: 7 days by source
SELECT source, count() FROM late_records WHERE arrived_at >= now() - INTERVAL 7 DAY GROUP BY source;
-- acknowledgements_now: all
SELECT count() FROM acknowledgements_now;
-- shipment_events: one shipment's story
SELECT recorded_at, type, milestone, raw FROM shipment_events FINAL WHERE shipment_id = {shipment:String} ORDER BY recorded_at;
-- shipment_events_now: one shipment
SELECT occurred_at, milestone, classifier, leg FROM shipment_events_now WHERE shipment_id = {shipment:String} ORDER BY occurred_at;
-- supplier_events_now: one order
SELECT occurred_at, type, raw FROM supplier_events_now WHERE order_id = {order:String} ORDER BY occurred_at;
-- warehouse_events_now: one position, a day
SELECT occurred_at, type, quantity FROM warehouse_events_now
WHERE site = {site:String} AND item = {item:String} AND occurred_at >= now() - INTERVAL 1 DAY ORDER BY occurred_at;
-- shipment_events: one event by its id
SELECT * FROM shipment_events FINAL WHERE source = {source:String} AND event_id = {event:String};
-- warehouse_events: one event by its id
SELECT * FROM warehouse_events FINAL WHERE source = {wms:String} AND event_id = {movement:String};
-- shipment_events FINAL: 24 hours by hour
SELECT toStartOfHour(occurred_at) AS hour, milestone, count() FROM shipment_events FINAL
WHERE occurred_at >= now() - INTERVAL 1 DAY AND appended_at >= now() - INTERVAL 2 DAY GROUP BY hour, milestone ORDER BY hour;
-- shipment_events FINAL: 7 days by source and type
SELECT source, type, count() FROM shipment_events FINAL WHERE appended_at >= now() - INTERVAL 7 DAY GROUP BY source, type;
-- warehouse_events FINAL: one site, a day
SELECT type, count(), sum(quantity) FROM warehouse_events FINAL
WHERE site = {site:String} AND appended_at >= now() - INTERVAL 1 DAY GROUP BY type;
-- events_hourly: 90 days by day
SELECT toDate(hour) AS day, topic, sum(records) FROM events_hourly WHERE hour >= now() - INTERVAL 90 DAY GROUP BY day, topic ORDER BY day;
-- events_hourly: everything by month
SELECT toStartOfMonth(hour) AS month, topic, sum(records) FROM events_hourly GROUP BY month, topic ORDER BY month;
-- records_by_topic: all
SELECT * FROM records_by_topic;
-- milestones_overdue: by milestone
SELECT milestone, count() FROM milestones_overdue GROUP BY milestone;
