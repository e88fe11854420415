-- How much retention dropped, by topic; no row where it dropped nothing.
SELECT toString(topic), count() FROM retention_forgotten GROUP BY topic
