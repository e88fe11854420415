"""Dashboards and alert rules as code, and their provisioning into Grafana."""
