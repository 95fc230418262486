"""Mutants that break one sentence on what is accepted, and it alone."""

from __future__ import annotations

from mutants.mutant import around, mutant
from taskkit import limits


@mutant(306, "VAL-06", "accepts line separators")
def line_separators(patch):
    @around(patch, limits, "_check_text")
    def check_text(real, what, text, longest):
        real(what, text.replace("\u2028", "") if isinstance(text, str) else text, longest)
