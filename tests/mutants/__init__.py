"""Each guard taken out in turn: a test has to fail. `python -m tests.mutants` (`make mutants`) runs all of it."""
