"""Shared by the tests of the suite itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from taskkit_conformance.bench import Bench
from taskkit_conformance.harness import harness_of

_STRANGE = Path(__file__).parent / "strange"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def bench() -> Iterator[Bench]:
    """An open bench on a memory store."""
    opened = Bench(harness_of("memory"))
    opened.open()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the strange backends are installed."""
    folder = tmp_path_factory.mktemp("installed")
    metadata = folder / "strange-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    names = ("forgetful", "unreachable", "clockless", "occupied")
    entries = "\n".join(f"{name} = strange:{name}" for name in names)
    (metadata / "entry_points.txt").write_text(f"[taskkit.backends]\n{entries}\n")
    return folder


@pytest.fixture
def run(tmp_path: Path, installed: Path) -> Run:
    """Run a command of Python in an empty folder, as somebody does who has only the wheel."""
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("TASKKIT_", "PYTEST_"))
    }
    path = os.pathsep.join([str(installed), str(_STRANGE)])

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=tmp_path,
            env={**inherited, "PYTHONPATH": path, "COLUMNS": "200", **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
