"""Chaos: workers, sinks and brokers are killed and stopped under load, and nothing may be wrong afterwards.

`python -m tests.chaos` is the long form (`make chaos`); the tests here are the short form.
"""
