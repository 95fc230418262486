"""Many runs in a row with different seeds: none may fail, and all must say the same.

``python -m steady memory --runs 30`` in this folder; prints a line for each run, and at the end how
often each set of verdicts came.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from taskkit.clock import monotonic


def main() -> int:
    """Run, tell, and return 1 if a run failed or the verdicts were not always the same."""
    parser = argparse.ArgumentParser(prog="steady", description="Many runs of the suite in a row.")
    parser.add_argument("backend")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--from-seed", type=int, default=1)
    parser.add_argument("--profile", default="quick")
    parser.add_argument("rest", nargs="*", help="passed on, after --")
    options = parser.parse_args()
    seen: Counter[str] = Counter()
    failed = 0
    for seed in range(options.from_seed, options.from_seed + options.runs):
        with tempfile.TemporaryDirectory() as folder:
            began = monotonic()
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "taskkit_conformance.cli", options.backend),
                    *("--profile", options.profile, "--seed", str(seed), "--report", folder),
                    *options.rest,
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            told = _verdicts(Path(folder, "report.json"))
        seen[told] += 1
        failed += done.returncode != 0
        _say(f"seed {seed}: exit {done.returncode}, {monotonic() - began:.0f} s: {told}")
        if done.returncode:
            _say(done.stdout)
    for told, number in seen.most_common():
        _say(f"{number} of {options.runs}: {told}")
    return 1 if failed or len(seen) > 1 else 0


def _verdicts(report: Path) -> str:
    """Return how often each verdict was given, and of which properties it was not PASS."""
    if not report.exists():
        return "no report"
    properties = json.loads(report.read_text("utf-8"))["properties"]
    found: dict[str, list[str]] = {}
    for number, each in properties.items():
        found.setdefault(each["verdict"], []).append(number)
    others = [f"{name} {' '.join(ids)}" for name, ids in sorted(found.items()) if name != "PASS"]
    return "; ".join([f"{len(found.get('PASS', ()))} PASS", *others])


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
