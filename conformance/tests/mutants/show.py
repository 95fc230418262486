"""Prints what the suite says of one mutant: ``python -m mutants.show 24``.

The reports in ``docs/conformance.md`` were made so.
"""

from __future__ import annotations

import sys

import pytest

from mutants import all_mutants


def main(number: int) -> int:
    """Run the checks that have to find a mutant, as somebody would against a backend."""
    (mutant,) = [mutant for mutant in all_mutants() if mutant.number == number]
    patch = pytest.MonkeyPatch()
    mutant.apply(patch)
    wanted = [f"--taskkit-property={mutant.property}", f"--taskkit-lanes={mutant.lane}"]
    return pytest.main(
        [
            "--pyargs",
            "taskkit_conformance",
            "--taskkit-backend=memory",
            *wanted,
            "-q",
            # The suite has been imported already, by the mutants; that is what pytest warns of.
            "-W",
            "ignore",
        ]
    )


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
