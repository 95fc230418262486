"""Uses installed wheels as a user does who has nothing else; ``dev.py build`` runs it.

Checks what the wheels contain, then runs a task on a SQLite file with a worker process started
from the command line. No test tool is needed; it ends with an error if something is wrong.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

APP = """\
from taskkit import Kit, TaskRegistry

tasks = TaskRegistry()


@tasks.task(group="sums")
def add(left: int, right: int) -> int:
    return left + right


kit = Kit.connect("sqlite:///smoke.db", tasks)

if __name__ == "__main__":
    print(add.delay(20, 22).get(timeout=30))
"""
PAGE = "# Page\n\n[here](#page) [gone](nowhere.md) <http://server.example/>\n"
TASKKIT = [sys.executable, "-m", "taskkit"]


def main() -> None:
    """Run all checks."""
    check_contents()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        run_a_task()
        run_the_demo()
    print("smoke: all is well")


def check_contents() -> None:
    """Look for the licence and the marker of typed packages; nothing else may be installed."""
    for name, package in (
        ("taskkit-core", "taskkit"),
        ("taskkit-relational", "taskkit_relational"),
        ("taskkit-sql", "taskkit_sql"),
    ):
        files = {str(file) for file in importlib.metadata.files(name) or ()}
        assert f"{package}/py.typed" in files, files
        assert any(file.endswith("licenses/LICENSE") for file in files), files
        assert not any("test" in file for file in files), files
        requirements = importlib.metadata.requires(name) or []
        assert not any("file:" in requirement for requirement in requirements), requirements
    for tool in ("pytest", "hypothesis", "rich"):
        try:
            importlib.metadata.version(tool)
        except importlib.metadata.PackageNotFoundError:
            continue
        raise AssertionError(f"{tool} is installed: this environment is not empty")


def run_a_task() -> None:
    """Let a worker process add two numbers."""
    Path("app.py").write_text(APP)
    worker = subprocess.Popen([*TASKKIT, "worker", "app:kit", "-g", "sums=2"])
    try:
        assert output(sys.executable, "app.py") == "42\n"
        listed = json.loads(output(*TASKKIT, "tasks", "list", "--app", "app:kit", "--json"))
        assert [task["state"] for task in listed["tasks"]] == ["succeeded"], listed
        names = {
            each["name"] for each in json.loads(output(*TASKKIT, "backends", "--json"))["backends"]
        }
        assert names == {"memory", "sql", "redis", "django"}, names
    finally:
        worker.terminate()
        assert worker.wait(timeout=30) == 0


def run_the_demo() -> None:
    """See that the demo asks for what it needs, then give it that and run it."""
    Path("page.md").write_text(PAGE)
    asked = subprocess.run([*TASKKIT, "demo", "."], capture_output=True, text=True, check=False)
    assert asked.returncode == 2, asked
    assert "pip install 'taskkit-core[demo]'" in asked.stderr, asked
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "markdown-it-py", "rich"], check=True
    )
    report = output(*TASKKIT, "demo", ".")
    assert "page.md:3: nowhere.md: no such file" in report, report
    assert "files: 1, links: 3, broken: " in report, report


def output(*command: str) -> str:
    """Run a command that must succeed and return what it printed."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout


if __name__ == "__main__":
    main()
