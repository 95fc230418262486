"""The programs in README and quickstart do what the text around them says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(60)  # several processes start, on machines with other work too

TASKKIT = [sys.executable, "-m", "taskkit"]


def blocks(page, language):
    text = (ROOT / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def write_programs(page, folder):
    """Write the page's Python blocks that begin with a file's name; return the names."""
    names = []
    for block in blocks(page, "python"):
        match = re.match(r"# (\w+\.py)\n", block)
        if match:
            folder.joinpath(match[1]).write_text(block)
            names.append(match[1])
    return names


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """Starts the page's ``taskkit worker`` command; stops it at the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TASKKIT_URL", raising=False)
    processes = []

    def start(page):
        command = next(block for block in blocks(page, "sh") if block.startswith("taskkit worker"))
        process = subprocess.Popen([*TASKKIT, *command.split()[1:]])
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.terminate()
    for process in processes:
        assert process.wait(timeout=15) == 0


def test_readme(tmp_path, worker):
    assert write_programs("README.md", tmp_path) == ["app.py"]
    worker("README.md")
    done = subprocess.run([sys.executable, "app.py"], capture_output=True, text=True, check=True)
    promised = re.search(r"It prints `(.+?)`", (ROOT / "README.md").read_text("utf-8"))
    assert done.stdout == promised[1] + "\n"
    listed = subprocess.run(
        [*TASKKIT, "tasks", "list", "--app", "app:kit"], capture_output=True, text=True, check=True
    )
    assert "app.send" in listed.stdout


def test_quickstart(tmp_path, worker):
    page = "docs/quickstart.md"
    assert write_programs(page, tmp_path) == ["shop.py", "use.py", "nightly.py"]
    worker(page)
    done = subprocess.run([sys.executable, "use.py"], capture_output=True, text=True, check=True)
    (promised,) = blocks(page, "text")
    assert done.stdout == promised
    looking = next(block for block in blocks(page, "sh") if "taskkit stats" in block)
    for line in looking.splitlines()[1:]:
        subprocess.run(
            [*TASKKIT, *line.split()[1:]],
            env={**os.environ, "TASKKIT_URL": "sqlite:///shop.db"},
            stdout=subprocess.DEVNULL,
            check=True,
        )


def test_program_with_schedules_starts_and_stops(tmp_path, monkeypatch):
    write_programs("docs/quickstart.md", tmp_path)
    monkeypatch.chdir(tmp_path)
    process = subprocess.Popen([sys.executable, "nightly.py"])
    deadline = time.monotonic() + 15
    while not registered():
        assert process.poll() is None
        assert time.monotonic() < deadline
    process.terminate()
    assert process.wait(timeout=15) == 0


def registered():
    listed = subprocess.run(
        [*TASKKIT, "workers", "list", "--url", "sqlite:///shop.db"], capture_output=True, text=True
    )
    return "mail=8" in listed.stdout


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_commands_for_developers_exist(page):
    commands = re.findall(r"python3 dev\.py (\w+)", (ROOT / page).read_text("utf-8"))
    listed = subprocess.run(
        [sys.executable, ROOT / "dev.py", "--help"], capture_output=True, text=True, check=True
    )
    assert commands
    assert set(commands) <= set(re.findall(r"^  (\w+) ", listed.stdout, re.M))
