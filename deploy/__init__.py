"""The `quayside` command, settings, the embedded stack and the demo supply network."""
