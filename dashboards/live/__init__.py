"""The live board: our dashboards drawn in a browser, from the same JSON and SQL, where no Grafana is installed."""
