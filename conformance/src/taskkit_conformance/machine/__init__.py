"""The rule-based machine: a program, done to the backend and to the model side by side."""

from __future__ import annotations

from taskkit_conformance.machine.programs import programs
from taskkit_conformance.machine.run import Run, run

__all__ = ["Run", "programs", "run"]
