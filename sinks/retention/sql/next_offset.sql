-- Where the next openings go: behind all that ever were.
SELECT greatest(
    (SELECT ifNull(maxOrNull(offset) + 1, 0) FROM warehouse_events WHERE epoch = 0 AND partition = 0),
    (
        SELECT ifNull(maxOrNull(offset) + 1, 0)
        FROM dropped_coordinates
        WHERE epoch = 0 AND topic = 'warehouse.events' AND partition = 0
    )
)
