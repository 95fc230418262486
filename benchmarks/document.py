"""Write what was measured into the documents that quote it.

    python benchmarks/document.py [--check]

Where a document shows a command of this folder, the next table is made of the figures that this
very command wrote to ``benchmarks/results/``. ``--check`` changes nothing, and fails where a table
says anything else, or a command has no figures.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
DOCUMENTS = ("docs/benchmarks.md",)

SHOWN = re.compile(
    r"```sh\npython benchmarks/(?P<command>[^\n]+)\n```\n"
    r"(?P<between>(?:(?!```|\n\| \| \|).*\n)*?)\n?"
    r"(?P<table>\| \| \|\n\| --- \| --- \|\n(?:\|.*\n)*)"
)
"""A command, what is said of it, its table."""


def main() -> int:
    """Write or check; return how many documents are wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    checks = parser.parse_args().check
    measured = {kept["command"]: kept["figures"] for kept in map(read, RESULTS.glob("*.json"))}
    wrong = 0
    for name in DOCUMENTS:
        path = ROOT / name
        before = path.read_text(encoding="utf-8")
        after = SHOWN.sub(lambda shown: _renewed(shown, measured), before)
        if after != before and checks:
            print(f"{name} does not say what was measured; run: python benchmarks/document.py")
            wrong += 1
        elif after != before:
            path.write_text(after, encoding="utf-8")
    return wrong


def read(path: Path) -> dict[str, object]:
    """Return what a benchmark has kept."""
    kept: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def _renewed(shown: re.Match[str], measured: dict[object, object]) -> str:
    figures = measured.get(f"python {shown['command']}")
    if not isinstance(figures, dict):
        raise SystemExit(f"nothing is kept in {RESULTS} of: python {shown['command']}")
    lines = [f"| {name} | {_told(value)} |\n" for name, value in figures.items()]
    table = "".join(["| | |\n| --- | --- |\n", *lines])
    return shown[0].replace(shown["table"], table)


def _told(value: object) -> str:
    """Return a figure as people read it."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    sys.exit(main())
