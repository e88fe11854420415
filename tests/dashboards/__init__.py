"""Tests of the dashboards, their provisioning and their way into a Grafana."""
