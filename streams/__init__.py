"""Kafka in, Kafka out: the Faust app, the batched transport, the fact table and one module per agent."""
