"""``examples/custom-backend`` as a stranger has it: a plugin that nothing here knows, the suite.

``nox -s stranger`` does the same from wheels, in an empty environment, with the whole suite.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "custom-backend"
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install the example into a folder of its own, as pip would; work in an empty one."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]
    site, folder = tmp_path / "site", tmp_path / "empty"
    info = site / f"taskkit_filestore-{project['version']}.dist-info"
    info.mkdir(parents=True)
    folder.mkdir()
    names = ("Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}")
    info.joinpath("METADATA").write_text("\n".join(names) + "\n")
    [(group, entries)] = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    info.joinpath("entry_points.txt").write_text("\n".join(lines) + "\n")
    (site / "taskkit_filestore").symlink_to(EXAMPLE / "src" / "taskkit_filestore")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def run(program, *arguments):
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    return subprocess.run(
        [str(Path(sys.executable).parent / program), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        env=environment,
        check=False,
    )


def test_it_is_found_and_kept_small(installed):
    found = run("taskkit", "backends")
    assert "filestore" in found.stdout, found.stderr
    assert sum(len(file.read_text().splitlines()) for file in EXAMPLE.rglob("src/**/*.py")) <= 300


def test_it_keeps_some_promises_of_each_kind(installed, tmp_path):
    chosen = ("ORD-01", "UNQ-05", "LEA-05", "LEA-13", "SCH-02", "QRY-02", "LIM-07")
    report = run(
        *("taskkit-conformance", "filestore", "--url", f"filestore://{tmp_path}/{{namespace}}"),
        *("--lanes", "model,interleave"),
        *(part for number in chosen for part in ("--property", number)),
    )
    assert report.returncode == 0, report.stdout + report.stderr
    assert f"properties: {len(chosen)} PASS" in report.stdout


def test_its_own_test_is_the_suite(installed):
    copy = shutil.copy(EXAMPLE / "tests" / "test_conformance.py", ".")
    report = run("pytest", "-q", copy, "--taskkit-property", "ORD-03", "--taskkit-lanes", "model")
    assert report.returncode == 0, report.stdout + report.stderr
    assert "properties: 1 PASS" in report.stdout


def test_a_broken_promise_is_told(installed, tmp_path):
    site = Path(os.environ["PYTHONPATH"])
    site.joinpath("taskkit_filestore").unlink()
    copy = site / "taskkit_filestore"
    copy.mkdir()
    for file in (EXAMPLE / "src" / "taskkit_filestore").glob("*.py"):
        text = file.read_text("utf-8")
        broken = text.replace("queue.settle(tables, settlements, now)", "[True] * len(settlements)")
        copy.joinpath(file.name).write_text(broken)
    report = run(
        *("taskkit-conformance", "filestore", "--url", f"filestore://{tmp_path}/{{namespace}}"),
        *("--lanes", "model", "--property", "RES-03"),
    )
    assert report.returncode == 1, report.stdout + report.stderr
    assert "RES-03[model]: Unknown, unfinished, failed and succeeded" in report.stdout
