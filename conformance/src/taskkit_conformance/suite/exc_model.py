from __future__ import annotations

from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.machine import programs, run


@proves("EXC-01")
def a_random_program_agrees_with_the_model(case: Case) -> None:
    """Everything at once; the failure names the property that it breaks."""
    run(case, case.draw(programs()))
