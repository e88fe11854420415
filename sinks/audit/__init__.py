"""Audit: what the agents published, computed once more from the history, in SQL and without their code."""
