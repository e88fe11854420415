-- Coordinates of late events of one fact topic that were not applied: (epoch, partition, offset).
SELECT epoch, partition, offset
FROM late_event_records
WHERE topic = '{{topic}}'
    AND (epoch, partition, offset) NOT IN
    (
        SELECT first_epoch, first_partition, first_offset
        FROM handled_records
        WHERE kind = 'late' AND topic = '{{topic}}'
    )
