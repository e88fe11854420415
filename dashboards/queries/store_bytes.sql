-- one row: bytes, what the store's active parts take on disk
SELECT sum(bytes_on_disk) AS bytes
FROM system.parts
WHERE active AND database = currentDatabase()
