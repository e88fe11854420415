-- The sources that are described; the expected cadence in hours.
SELECT source, name, round(cadence_s / 3600, 3) AS expected_cadence
FROM source_reference
ORDER BY source
LIMIT 1000000
