-- Behind exceptions_which.sql: the newest ones.
SELECT
    exception_id, kind, entity_kind, entity, lane, carrier, site, item, opened_ms, detail, acknowledged, acknowledged_by,
    until_ms, note
FROM which
ORDER BY opened_ms DESC, exception_id
LIMIT {limit:UInt32}
