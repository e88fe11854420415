"""The real `quayside` command on real processes, as people run it."""
