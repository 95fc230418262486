"""The program of the original taskkit's README runs as it stands there; only the kit is ours.

The text lies beside the project, not in it; without it there is nothing to run.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

README = Path(__file__).parents[3] / "shared" / "reference" / "taskkit-readme.md"

pytestmark = pytest.mark.skipif(
    not README.exists(), reason="the original's README is not beside this checkout"
)


def blocks() -> list[str]:
    """The README's Python blocks: handler, two kits, workers, initiate, schedules."""
    found = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(found) == 6
    return found


def kit(folder: Path) -> str:
    return f"from taskkit import Kit\nkit = Kit.connect('sqlite:///{folder}/t.db', Handler())\n"


def program(folder: Path, *parts: str) -> Path:
    path = folder / "program.py"
    path.write_text("\n".join(parts))
    return path


def wait_for(path: Path, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} never came"
        time.sleep(0.05)


def test_workers_without_a_loop_and_an_initiated_task(tmp_path):
    handler, _, _, workers, initiate, _ = blocks()
    group, _, start_processes = workers.partition("# it starts busy loop")
    start_processes = start_processes[start_processes.index("kit.start_processes") :]
    path = program(
        tmp_path,
        handler,
        kit(tmp_path),
        group,
        start_processes,
        # The README imports timedelta alone; ten seconds are cut to one for the sake of time.
        "from datetime import datetime",
        initiate.replace("seconds=10", "seconds=1").replace("    ...", "    print('timed out')"),
    )
    ended = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, timeout=60, check=False
    )
    # The README's handler knows no such group: it discards the task, and so there is no result.
    assert "TaskNotFound" in ended.stderr, ended.stderr
    assert "discarded" in ended.stderr


def test_the_handler_handles_and_its_results_are_read(tmp_path):
    handler, _, _, workers, initiate, _ = blocks()
    start_processes = workers[workers.index("kit.start_processes") :]
    path = program(
        tmp_path,
        handler.replace("'...'", "'Any task group name'").replace("return ...", "return data", 1),
        kit(tmp_path),
        "GROUP_NAME = 'Any task group name'",
        start_processes,
        "from datetime import datetime",
        initiate.replace("seconds=10", "seconds=0").replace("your task name", "foo"),
        "print('value is', value)",
    )
    ended = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, timeout=60, check=False
    )
    assert "value is {'some_data': 1}" in ended.stdout, ended.stderr


def test_schedules_with_the_loop(tmp_path):
    handler, _, _, workers, _, schedules = blocks()
    ready = tmp_path / "ready"
    path = program(
        tmp_path,
        handler,
        kit(tmp_path),
        workers.partition("# it starts busy loop")[0],
        schedules.replace(
            "# pass the entries", f"import pathlib; pathlib.Path({str(ready)!r}).touch()\n# pass"
        ),
    )
    process = subprocess.Popen([sys.executable, path], stderr=subprocess.PIPE, text=True)
    try:
        wait_for(ready)
        from taskkit import connect

        store = connect("sql", url=f"sqlite:///{tmp_path}/t.db")
        end = time.monotonic() + 20
        while len(store.workers()) < 3 or store.load_schedule("scheduler_name").state is None:
            assert time.monotonic() < end, "the workers or their scheduler never came"
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        store.close()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
    finally:
        process.kill()
        process.wait()
