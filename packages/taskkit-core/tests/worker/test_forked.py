"""The end of a forked process, as its supervisor or its worker sees it, and what it tells of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from taskkit.worker.forked import _Forked
from taskkit.worker.nursery import ForkedProcess

HERE = Path(__file__).parent

SLEEPING = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def child():
    """A child, and what the supervisor keeps of one that it has forked."""
    process = subprocess.Popen(SLEEPING)
    yield process, _Forked(process.pid)
    process.kill()
    process.wait()


def test_it_is_waited_for_until_it_has_ended(child):
    _, forked = child
    with pytest.raises(subprocess.TimeoutExpired):
        forked.wait(0.01)
    assert forked.returncode is None
    forked.kill()
    assert forked.wait(60) == -signal.SIGKILL
    assert forked.returncode == -signal.SIGKILL
    forked.kill()  # somebody else may have its number now


def test_that_somebody_else_has_waited_is_no_error(child):
    process, forked = child
    process.kill()
    process.wait()
    assert forked.wait(60) == 0
    forked.kill()


def test_one_that_somebody_else_has_waited_for_is_not_killed(child):
    process, forked = child
    process.kill()
    process.wait()
    forked.kill()  # its number may be anybody's
    assert forked.returncode == 0


def test_a_child_of_the_template_may_have_ended_without_its_worker_knowing_yet(child):
    process, _ = child
    forked = ForkedProcess()
    forked.pid = process.pid
    process.kill()
    process.wait()  # as the template does, before it tells
    forked.kill()


# ---- real forks, of a program that has no second thread


def run(folder: Path, program: str, **options) -> subprocess.CompletedProcess[str]:
    (folder / "program.py").write_text(f"import sys\nsys.path.insert(0, {str(HERE)!r})\n{program}")
    command = [sys.executable, "program.py"]
    return subprocess.run(
        command, cwd=folder, text=True, check=False, stdout=subprocess.PIPE, **options
    )


FORKING = """\
from taskkit.worker.forked import fork_template
from taskkit.worker.launch import KitReference, Payload
from taskkit.worker.line import Line

near, far = Line.pair()
template = fork_template(far)
near.send(Payload({folder!r}, (), (), None, None, KitReference("app"), None))
assert near.wait() is None
print(template.wait())
"""


def test_what_a_template_raises_is_told_and_ends_it(tmp_path):
    gone = str(tmp_path / "no such folder")
    ended = run(tmp_path, FORKING.format(folder=gone), stderr=subprocess.PIPE)
    assert ended.stdout == "1\n"
    assert ended.stderr.count("Traceback") == 1
    assert ended.stderr.splitlines()[-1].startswith("FileNotFoundError")
    assert gone in ended.stderr


def test_a_template_that_cannot_tell_ends_all_the_same(tmp_path):
    program = "sys.stderr = None\n" + FORKING.format(folder=str(tmp_path / "no such folder"))
    assert run(tmp_path, program).stdout == "1\n"


SUPERVISING = """\
from taskkit.settings import Slots, WorkerSettings
from taskkit.worker import backoff
from taskkit.worker.launch import KitReference
from taskkit.worker.supervisor import supervise

backoff.FIRST = 0.01
supervise(KitReference("app:kit"), 1, WorkerSettings(groups={"work": Slots(1)}, drain=True))
print("returned")
"""
APP = """\
from pathlib import Path

from crewed import Handler, Noted
from taskkit.kit import Kit


class Loading(Handler):
    def preload(self):
        with Path("loads").open("a") as file:
            file.write("x")
        if Path("loads").stat().st_size <= {failures}:
            raise LookupError("the dictionary is away")


kit = Kit(Noted("notes"), Loading())
"""


def supervised(folder: Path, *, failures: int) -> subprocess.CompletedProcess[str]:
    (folder / "app.py").write_text(APP.format(failures=failures))
    return run(folder, SUPERVISING, stderr=subprocess.PIPE)


def test_a_template_that_could_not_begin_is_replaced(tmp_path):
    ended = supervised(tmp_path, failures=1)
    assert ended.stdout == "returned\n"
    assert ended.stderr.count("LookupError: the dictionary is away") == 1
    assert (tmp_path / "loads").read_text() == "xx"
    assert "register" in (tmp_path / "notes").read_text()


def test_templates_that_never_begin_end_the_supervisor(tmp_path):
    ended = supervised(tmp_path, failures=99)
    assert ended.returncode == 1
    assert ended.stderr.count("LookupError: the dictionary is away") == 5
    assert "could not start 5 times" in ended.stderr.splitlines()[-1]
    assert "the template process ended before it could fork" in ended.stderr.splitlines()[-1]
