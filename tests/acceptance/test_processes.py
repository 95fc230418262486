"""Worker processes on a SQLite file: what becomes of tasks when processes are killed or stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from taskkit import Kit
from taskkit.task import State

PATIENCE = 60.0

APP = """\
import multiprocessing
import os
import signal
import time
from pathlib import Path
from taskkit import Kit, TaskRegistry, fixed

tasks = TaskRegistry()
kit = Kit.connect("sqlite:///{here}/work.db", tasks, lease={lease}, heartbeat=0.5)

def note(what):
    with Path("{here}/notes").open("a") as file:
        file.write(what + "\\n")

@tasks.task(group="work", name="nap")
def nap(number: int, seconds: float) -> int:
    note(f"began {{number}} {{os.getpid()}}")
    time.sleep(seconds)
    note(f"ended {{number}} {{os.getpid()}}")
    return number

@tasks.task(group="work", name="quit")
def quit() -> None:
    os._exit(3)

@tasks.task(group="work", name="parent", isolation="process")
def parent() -> int:
    return os.getppid()

@tasks.task(group="work", name="apart", isolation="process")
def apart() -> None:
    note(f"apart {{os.getpid()}} 0")
    signal.pause()

@tasks.task(group="work", name="leave_a_fork")
def leave_a_fork() -> int:
    fork = multiprocessing.get_context("fork").Process(target=signal.pause, daemon=True)
    fork.start()
    return fork.pid

@tasks.task(group="work", name="leave_a_fork_apart", isolation="process", on_lost="keep")
def leave_a_fork_apart() -> None:
    note(f"fork {{leave_a_fork()}} 0")
    os.kill(os.getpid(), signal.SIGKILL)

def end_forks() -> list[int]:
    forks = [multiprocessing.get_context("fork").Process(target=signal.pause) for _ in range(2)]
    for fork in forks:
        fork.start()
        fork.terminate()
        fork.join({patience} / 4)
    codes = [fork.exitcode for fork in forks]
    for fork in forks:
        fork.kill()
    return codes

end_forks_here = tasks.task(group="work", name="end_forks_here")(end_forks)
end_forks_apart = tasks.task(group="work", name="end_forks_apart", isolation="process")(end_forks)
"""

RUN = """\
import logging

from app import kit

logging.basicConfig(level=logging.INFO)
if __name__ == "__main__":
    kit.start({processes}, {{"work": {slots}}}, **{options})
    print("returned")
"""


def eventually(condition, what="", patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never came true: {what or condition}"
        time.sleep(0.01)
    return value


class System:
    """A program with workers, and the same store seen from here."""

    def __init__(self, folder: Path, lease: float) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[str]] = []
        (folder / "app.py").write_text(APP.format(here=folder, lease=lease, patience=PATIENCE))
        sys.modules.pop("app", None)
        import app

        self.app = app
        self.kit: Kit = app.kit

    def start(self, processes=2, slots=4, **options) -> subprocess.Popen[str]:
        file = self.folder / "run.py"
        file.write_text(RUN.format(processes=processes, slots=slots, options=options))
        # By their ids: those of dead workers go meanwhile.
        known = self.ids()
        program = self.run(file)
        eventually(lambda: len(self.ids() - known) >= processes, "the workers register")
        return program

    def run(self, file: Path) -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [sys.executable, str(file)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.running.append(program)
        return program

    def workers(self):
        return self.kit.backend.workers()

    def ids(self) -> set[str]:
        return {record.info.id for record in self.workers()}

    def pids(self) -> list[int]:
        return [record.info.pid for record in self.workers()]

    def states(self) -> dict[State, int]:
        return {count.state: count.count for count in self.kit.backend.count()}

    def notes(self, what: str) -> list[tuple[int, int]]:
        """Return task number and pid of each note of a kind, in order."""
        file = self.folder / "notes"
        lines = file.read_text().splitlines() if file.exists() else []
        words = [line.split() for line in lines if line.count(" ") == 2]
        return [(int(w[1]), int(w[2])) for w in words if w[0] == what]

    def stop(self) -> None:
        for program in self.running:
            # The whole group, of which it is the first: whatever a test has left behind.
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            program.communicate()
        self.kit.close()


@pytest.fixture
def system(request, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    # So long that nothing here can come from its end, unless a test asks for a short one.
    system = System(tmp_path, getattr(request, "param", 600.0))
    yield system
    system.stop()
    sys.modules.pop("app", None)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def busy(system: System) -> set[int]:
    return set(system.pids()) & {pid for _, pid in system.notes("began")}


@pytest.mark.slow
def test_tasks_of_killed_workers_run_again_though_their_lease_lasts(system):
    supervisor = system.start(processes=2, slots=3)
    results = system.app.nap.delay_many([(number, 0.2) for number in range(80)])
    for _ in range(2):
        (victim, *_) = eventually(lambda: busy(system))
        os.kill(victim, signal.SIGKILL)
        eventually(lambda victim=victim: victim not in system.pids(), "its lease is ended")
        eventually(lambda: len(system.workers()) == 2, "another works")
    assert [result.get(timeout=PATIENCE) for result in results] == list(range(80))
    ended = [number for number, _ in system.notes("ended")]
    assert sorted(ended) == list(range(80))
    assert supervisor.poll() is None


@pytest.mark.slow
@pytest.mark.parametrize("system", [3.0], indirect=True)
def test_tasks_of_a_killed_tree_run_again_after_the_lease(system):
    supervisor = system.start(processes=2, slots=2)
    results = system.app.nap.delay_many([(number, 60.0) for number in range(4)])
    eventually(lambda: len(system.notes("began")) == 4)
    first = set(system.pids())
    os.killpg(supervisor.pid, signal.SIGKILL)
    eventually(lambda: not any(alive(pid) for pid in first))
    system.start(processes=1, slots=8)
    eventually(lambda: len(system.notes("began")) == 8, "all run again")
    assert {number for number, pid in system.notes("began") if pid not in first} == {0, 1, 2, 3}
    assert [result.record.losses for result in results] == [1] * 4


def test_sigterm_lets_running_tasks_finish(system):
    supervisor = system.start(processes=2, slots=2)
    results = system.app.nap.delay_many([(number, 0.5) for number in range(40)])
    eventually(lambda: len(system.notes("began")) >= 4)
    supervisor.terminate()
    out, _ = supervisor.communicate(timeout=PATIENCE)
    assert (supervisor.returncode, out) == (0, "returned\n")
    assert len(system.notes("began")) == len(system.notes("ended"))
    states = system.states()
    assert State.RUNNING not in states
    assert states[State.SUCCEEDED] == len(system.notes("ended"))
    assert sum(states.values()) == len(results)
    assert system.workers() == []


def test_a_second_signal_releases_at_once(system):
    supervisor = system.start(processes=1, slots=2)
    (result,) = system.app.nap.delay_many([(1, 60.0)])
    eventually(lambda: system.notes("began"))
    supervisor.terminate()
    # Two signals of a kind that arrive together are one.
    while "stopping" not in supervisor.stderr.readline():
        pass
    supervisor.terminate()
    supervisor.communicate(timeout=PATIENCE)
    record = result.record
    assert (record.state, record.attempt, record.losses) == (State.QUEUED, 0, 0)


def test_a_task_that_ends_its_process_is_lost_after_three_deaths_and_takes_no_other(system):
    supervisor = system.start(processes=1, slots=4)
    poison = system.app.quit.delay()
    naps = system.app.nap.delay_many([(number, 0.2) for number in range(20)])
    assert [nap.get(timeout=PATIENCE) for nap in naps] == list(range(20))
    record = eventually(lambda: (r := poison.record).state is State.LOST and r)
    assert record.losses == 3
    # The first death takes its neighbours along, the others happen in a process of their own.
    began = Counter(number for number, _ in system.notes("began"))
    assert max(began.values()) <= 2
    assert supervisor.poll() is None


def test_an_isolated_task_is_forked_from_the_template_and_outlives_it(system):
    system.start(processes=1)
    (worker,) = system.pids()
    template = parent_of(worker)
    assert system.app.parent.delay().get(timeout=PATIENCE) == template
    os.kill(template, signal.SIGKILL)
    eventually(lambda: not alive(template))
    # This worker's template is gone: it starts an interpreter by itself.
    assert system.app.parent.delay().get(timeout=PATIENCE) == worker


@pytest.mark.parametrize("method", ["auto", "spawn"])
@pytest.mark.parametrize("name", ["end_forks_here", "end_forks_apart"])
def test_a_task_can_end_what_it_forks_and_its_worker_hears_nothing_of_it(system, name, method):
    supervisor = system.start(processes=1, start_method=method)
    codes = getattr(system.app, name).delay().get(timeout=PATIENCE)
    assert codes == [-signal.SIGTERM] * 2
    assert system.app.nap.delay(1, 0.0).get(timeout=PATIENCE) == 1
    supervisor.terminate()
    _, err = supervisor.communicate(timeout=PATIENCE)
    assert err.count(" works as ") == 1, "its worker was replaced"


def test_a_fork_of_a_task_hides_no_death(system):
    system.start(processes=1)
    (worker,) = system.pids()
    system.app.apart.delay()
    ((child, _),) = eventually(lambda: system.notes("apart"), "it runs in a child")
    fork = system.app.leave_a_fork.delay().get(timeout=PATIENCE)
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: not alive(child), "the child has seen the death of its worker")
    assert alive(fork)


def test_a_fork_of_an_isolated_task_does_not_hide_that_its_parent_died(system):
    system.start(processes=1)
    lost = system.app.leave_a_fork_apart.delay()
    eventually(lambda: lost.record.state is State.LOST, "it is given up")
    assert all(alive(fork) for fork, _ in system.notes("fork"))


def test_shutdown_ends_the_program(system):
    supervisor = system.start(processes=2)
    system.kit.shutdown()
    out, _ = supervisor.communicate(timeout=PATIENCE)
    assert (supervisor.returncode, out) == (0, "returned\n")


def test_drain_ends_when_nothing_is_left(system):
    results = system.app.nap.delay_many([(number, 0.05) for number in range(20)])
    file = system.folder / "run.py"
    file.write_text(RUN.format(processes=2, slots=2, options={"drain": True}))
    program = system.run(file)
    out, _ = program.communicate(timeout=PATIENCE)
    assert (program.returncode, out) == (0, "returned\n")
    assert all(result.record.state is State.SUCCEEDED for result in results)


def test_recycling_by_tasks_loses_nothing_and_runs_nothing_twice(system):
    system.start(processes=2, slots=4, max_tasks=25)
    results = system.app.nap.delay_many([(number, 0.05) for number in range(300)])
    assert [result.get(timeout=PATIENCE) for result in results] == list(range(300))
    began = system.notes("began")
    assert len(began) == 300
    assert len({pid for _, pid in began}) > 2


# ---- programs


UNGUARDED = """\
import json
from datetime import datetime, timedelta
from typing import Any

from taskkit import DiscardTask, Kit, Task, TaskHandler

print("defined")


class Handler(TaskHandler):
    def handle(self, task: Task) -> Any:
        if task.name == "double":
            return json.loads(task.data) * 2
        raise DiscardTask

    def get_retry_interval(self, task: Task, exception: Exception) -> float | None:
        return None

    def encode_data(self, group: str, task_name: str, data: Any) -> bytes:
        return json.dumps(data).encode()

    def encode_result(self, task: Task, result: Any) -> bytes:
        return json.dumps(result).encode()

    def decode_result(self, task: Task, encoded: bytes) -> Any:
        return json.loads(encoded)


kit = Kit.connect("sqlite:///own.db", Handler())
GROUP_NAME = "Any task group name"
"""


@pytest.mark.parametrize("method", ["auto", "spawn"])
def test_an_unguarded_program_with_its_handler_starts_once_and_puts_once(tmp_path, method):
    (tmp_path / "program.py").write_text(
        UNGUARDED
        + textwrap.dedent(
            f"""\
            early = kit.initiate_task(GROUP_NAME, "double", 20)
            kit.start_processes(
                num_processes=2,
                num_worker_threads_per_group={{GROUP_NAME: 3}},
                start_method={method!r},
                daemon=True)
            result = kit.initiate_task(
                GROUP_NAME, "double", 21, due=datetime.now() + timedelta(seconds=0.2))
            print(early.get(timeout=10), result.get(timeout=10))
            print(sum(count.count for count in kit.backend.count()))
            """
        )
    )
    ended = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=18,
    )
    assert ended.stderr == ""
    # Each process that imports the program prints, at any time.
    assert ended.stdout.replace("defined", "").split() == ["40", "42", "2"]
    assert ended.returncode == 0


def test_a_program_that_only_starts_can_be_unguarded(tmp_path):
    (tmp_path / "program.py").write_text(
        UNGUARDED
        + "result = kit.initiate_task(GROUP_NAME, 'double', 21)\n"
        + "kit.start(num_processes=2, num_worker_threads_per_group={GROUP_NAME: 3}, drain=True)\n"
        + "print(result.get())\n"
    )
    ended = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=18,
    )
    assert ended.stderr == ""
    assert ended.stdout.splitlines()[-1] == "42"
