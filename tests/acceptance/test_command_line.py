"""The ``taskkit`` command with real processes on a SQLite file."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(180)  # several processes start, on machines with other work too

TASKKIT = [sys.executable, "-m", "taskkit"]

APP = """\
import os
import time

from taskkit import Kit, TaskRegistry, current_task

tasks = TaskRegistry()
kit = Kit.connect("sqlite:///work.db", tasks)


@tasks.task(group="sums")
def add(left: int, right: int) -> int:
    return left + right


@tasks.task(group="sums")
def who() -> int:
    time.sleep(0.1)
    return os.getpid()


@tasks.task(group="waits")
async def wait() -> str:
    return "waited"
"""

MORE = """\
from app import tasks


@tasks.task(group="sums", name="found")
def found() -> str:
    return "found"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a program, in which commands run."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").write_text("")
    (tmp_path / "parts" / "tasks.py").write_text(MORE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TASKKIT_URL", raising=False)
    monkeypatch.setenv("TASKKIT_APP", "app:kit")
    return tmp_path


@pytest.fixture
def worker(folder):
    """Starts ``taskkit worker`` with options; stops what still runs at the end."""
    started = []

    def start(*options):
        process = subprocess.Popen([*TASKKIT, "worker", *options], stderr=subprocess.PIPE)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def program(source):
    """Run a program that imports the app; return what it prints."""
    return subprocess.run(
        [sys.executable, "-c", f"from app import *\n{source}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.strip()


def taskkit(*arguments, code=0):
    """Run a command; return its JSON."""
    done = subprocess.run([*TASKKIT, *arguments, "--json"], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def until(condition):
    """Wait for a condition that must become true."""
    deadline = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def test_threads_and_coroutines_in_two_processes(worker):
    process = worker("-g", "sums=4", "-g", "waits=async:50", "--processes", "2")
    until(lambda: len(taskkit("workers", "list")["workers"]) == 2)
    assert program("print(add.delay(20, 22).get(10))") == "42"
    assert program("print(wait.delay().get(10))") == "waited"
    pids = program("print(len({r.get(10) for r in who.delay_many([()] * 16)}))")
    assert pids == "2"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert taskkit("workers", "list")["workers"] == []


def test_drain_ends_by_itself(worker):
    program("add.delay_many([(n, n) for n in range(100)])")
    assert worker("-g", "sums=4", "--drain").wait(timeout=60) == 0
    (count,) = taskkit("stats")["counts"]
    assert (count["state"], count["count"]) == ("succeeded", 100)


def test_discover_imports_what_matches(worker):

    worker("-g", "sums=1", "--discover", "**/tasks.py")
    found = program("from parts.tasks import found\nprint(found.delay().get(10))")
    assert found == "found"


def test_shutdown_command_ends_the_worker(worker):
    process = worker("-g", "sums=1", "--heartbeat", "0.2", "--lease", "1")
    until(lambda: taskkit("workers", "list")["workers"])
    subprocess.run([*TASKKIT, "shutdown", "--all"], check=True)
    assert process.wait(timeout=60) == 0


def test_changed_code_is_loaded_by_new_workers(folder, worker):
    def answer() -> str:
        task = {"group": "sums", "name": "app.version", "data": None}
        from taskkit import Kit, TaskRegistry, connect

        tasks = TaskRegistry()
        tasks.task(group="sums", name="app.version")(lambda: "")
        kit = Kit(connect("sql", url="sqlite:///work.db"), tasks)
        try:
            return kit.initiate_task(**task).get(timeout=60)
        finally:
            kit.close()

    version = '\n\n@tasks.task(group="sums")\ndef version() -> str:\n    return "{}"\n'
    (folder / "app.py").write_text(APP + version.format("old"))
    worker("-g", "sums=2", "--reload")
    assert answer() == "old"
    (folder / "app.py").write_text(APP + version.format("new"))
    until(lambda: answer() == "new")


def is_alive(pid):
    """Return whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def lineage(pid):
    """Return the command lines of a process and its ancestors, by process id."""
    found = {}
    while pid > 1:
        found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes()
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
def test_workers_share_what_the_command_has_loaded_and_end_with_it(worker):
    started = worker("-g", "sums=2", "--processes", "2")
    pids = json.loads(program("print([r.get(timeout=60) for r in who.delay_many([()] * 20)])"))
    for pid in set(pids):
        lines = list(lineage(pid).items())
        # The worker, the template, the command: forks, not fresh interpreters.
        assert lines[2][0] == started.pid
        assert len({line for _, line in lines[:3]}) == 1
    template = lines[1][0]
    started.kill()
    until(lambda: not any(is_alive(pid) for pid in (template, *pids)))


def test_mistakes_end_with_a_line(folder):
    (folder / "odd.py").write_text("import nothing_of_this_name\n")
    for options in (["odd:kit", "-g", "a=1"], ["-g", "sums=4", "--lease", "1"]):
        done = subprocess.run([*TASKKIT, "worker", *options], capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith("taskkit: ")
        assert done.stderr.count("taskkit: ") == 1


def test_file_that_is_no_database(folder):
    (folder / "other.db").write_bytes(b"this is not a database, it is text\n" * 50)
    done = subprocess.run(
        [*TASKKIT, "db", "upgrade", "--url", "sqlite:///other.db"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("taskkit: ")
    assert done.stderr.count("\n") == 1


def test_db_commands(folder):
    url = "sqlite:///fresh.db"

    def db(*arguments):
        return subprocess.run(
            [*TASKKIT, "db", *arguments, "--url", url], capture_output=True, text=True
        )

    sql = db("sql")
    assert "CREATE TABLE" in sql.stdout
    assert db("check").returncode == 1
    assert db("upgrade").returncode == 0
    assert "up to date" in db("check").stdout
    assert "CREATE TABLE" not in db("sql").stdout
    assert "CREATE TABLE" in db("sql", "--from", "0").stdout
