"""ClickHouse: migrations, the history writer, the embedded store and its HTTP gate."""
