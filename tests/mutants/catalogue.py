"""All mutants."""

from typing import Final

from tests.mutants import (
    of_acceptance,
    of_answers,
    of_closing,
    of_facts,
    of_figures,
    of_gateway,
    of_reading,
    of_rebuild,
    of_recovery,
    of_sending,
    of_speed,
)
from tests.mutants.mutant import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    *of_facts.MUTANTS,
    *of_acceptance.MUTANTS,
    *of_sending.MUTANTS,
    *of_recovery.MUTANTS,
    *of_closing.MUTANTS,
    *of_rebuild.MUTANTS,
    *of_reading.MUTANTS,
    *of_figures.MUTANTS,
    *of_answers.MUTANTS,
    *of_gateway.MUTANTS,
    *of_speed.MUTANTS,
)
"""In the order in which they are told of; no two bear one name."""
