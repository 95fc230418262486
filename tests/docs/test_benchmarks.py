"""The figures in the documents are those that their commands wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "document.py"


def test_the_documents_quote_what_was_measured():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "```sh\npython benchmarks/" in (ROOT / "docs/benchmarks.md").read_text()
