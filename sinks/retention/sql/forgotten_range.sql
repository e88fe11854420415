-- A part of what retention dropped of a topic, by identity.
SELECT identity FROM retention_forgotten
WHERE topic = '{{topic}}' AND identity BETWEEN {first:UInt64} AND {last:UInt64}
