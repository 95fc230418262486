"""Worker processes, real ones: started, killed, replaced, stopped."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from taskkit.errors import InvalidSetting, TaskkitError, WorkerStartFailed
from taskkit.memory.backend import MemoryBackend
from taskkit.settings import Slots, WorkerSettings
from taskkit.worker import backoff
from taskkit.worker.handle import WorkerProcess
from taskkit.worker.launch import KitReference
from taskkit.worker.supervisor import start_processes, supervise

HERE = Path(__file__).parent
PATIENCE = 60.0


def eventually(condition, what=""):
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never came true: {what or condition}"
        time.sleep(0.01)
    return value


def gone(pid: int) -> bool:
    """Whether a process that need not be our child has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Notes:
    """What the processes have noted."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def all(self, did: str) -> list[dict]:
        if not self.file.exists():
            return []
        notes = [json.loads(line) for line in self.file.read_text().splitlines()]
        return [note for note in notes if note["did"] == did]


@pytest.fixture
def notes(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    return Notes(tmp_path / "notes")


@pytest.fixture
def kit(notes):
    from crewed import make_kit

    return make_kit(str(notes.file))


def settings(**options) -> WorkerSettings:
    return WorkerSettings(groups={"work": Slots(2)}, **{"grace": 3.0, **options})


@pytest.fixture
def start():
    started: list[WorkerProcess] = []

    def start(kit, count=1, *, method="auto", **options) -> list[WorkerProcess]:
        processes = start_processes(kit, count, settings(**options), start_method=method)
        started.extend(processes)
        eventually(lambda: all(p.is_active() for p in processes), "the workers register")
        return processes

    yield start
    for process in started:
        process.terminate()
    for process in started:
        assert process.join(PATIENCE)


both = pytest.mark.parametrize("method", ["forkserver", "spawn"])


@both
def test_a_handle_tells_of_its_process(kit, notes, start, method):
    first, second = start(kit, 2, method=method)
    assert {first.pid, second.pid} == {note["pid"] for note in notes.all("register")}
    assert {first.worker_id, second.worker_id} == {n["worker"] for n in notes.all("register")}
    assert (first.index, second.index) == (0, 1)
    assert first.exitcode is None
    assert first.restarts == 0


@both
def test_a_killed_worker_is_replaced_and_its_lease_ended(kit, notes, start, method):
    (process,) = start(kit, method=method)
    pid, worker_id = process.pid, process.worker_id
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: process.is_active() and process.pid != pid, "another takes its place")
    lost = eventually(lambda: [n for n in notes.all("retire") if n["lost"]], "it is retired")
    assert [note["worker"] for note in lost] == [worker_id]
    assert process.exitcode == -signal.SIGKILL
    assert process.restarts == 1


@both
def test_terminate_is_graceful_and_final(kit, notes, start, method):
    first, second = start(kit, 2, method=method)
    worker_id = first.worker_id
    first.terminate()
    assert first.join(PATIENCE)
    assert not first.is_alive()
    assert first.exitcode == 0
    assert [(n["worker"], n["lost"]) for n in notes.all("retire")] == [(worker_id, False)]
    assert second.is_active()


@pytest.fixture
def many_files():
    """More open files than `select` takes, so that new ones get numbers beyond."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, 2048)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip("the system does not let this process open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    yield
    for file in files:
        os.close(file)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@both
def test_a_worker_of_a_program_with_many_open_files_hears_its_supervisor(
    many_files, kit, notes, start, method
):
    (process,) = start(kit, method=method)
    process.terminate()
    assert process.join(PATIENCE)
    assert process.exitcode == 0
    assert [n["lost"] for n in notes.all("retire")] == [False]


def test_kill_is_final_and_ends_the_lease(kit, notes, start):
    (process,) = start(kit)
    process.kill()
    assert process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    eventually(lambda: [n["lost"] for n in notes.all("retire")] == [True])
    assert process.restarts == 0


def test_a_worker_that_gets_sigterm_by_itself_ends_gracefully_and_is_replaced(kit, notes, start):
    (process,) = start(kit)
    pid = process.pid
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: process.is_active() and process.pid != pid)
    assert [n["lost"] for n in notes.all("retire")] == [False]


def test_workers_survive_their_template_which_is_replaced(kit, notes, start):
    (process,) = start(kit)
    pid, template = process.pid, parent_of(process.pid)
    os.kill(template, signal.SIGKILL)
    eventually(lambda: gone(template))
    assert not gone(pid)
    # Nobody can wait for this one any more, and still its end is noticed.
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: process.is_active() and process.pid != pid)
    assert parent_of(process.pid) not in {template, os.getpid()}
    eventually(lambda: [n for n in notes.all("retire") if n["lost"]])


def test_workers_are_forked_from_one_template(kit, start):
    first, second = start(kit, 2)
    assert parent_of(first.pid) == parent_of(second.pid) != os.getpid()


def test_where_imports_start_threads_nothing_is_forked(notes, start, tmp_path, monkeypatch):
    (tmp_path / "threaded.py").write_text(
        "import threading\n"
        "from crewed import make_kit\n"
        "threading.Thread(target=threading.Event().wait, name='ticker', daemon=True).start()\n"
        f"kit = make_kit({str(notes.file)!r})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    processes = start(KitReference("threaded:kit"), 2)
    assert {parent_of(process.pid) for process in processes} == {os.getpid()}


def test_a_recycled_worker_is_succeeded_at_once(notes, start):
    from crewed import make_kit

    (process,) = start(make_kit(str(notes.file), tasks=10), max_tasks=3)
    eventually(lambda: process.restarts >= 1)
    eventually(lambda: notes.all("retire"))
    assert not [n for n in notes.all("retire") if n["lost"]]


def test_processes_that_cannot_start_end_with_their_error(notes, monkeypatch, caplog):
    from crewed import make_kit

    monkeypatch.setattr(backoff, "FIRST", 0.01)
    kit = make_kit(str(notes.file), trouble="the store is of a newer version")
    with pytest.raises(WorkerStartFailed, match="5 times.*the store is of a newer version"):
        supervise(kit, 1, settings())
    assert caplog.text.count("cannot start") == 5
    assert not [record for record in caplog.records if record.getMessage().endswith("\n")]
    # Where no worker can have registered, nobody tries for long to retire it, or is killed.
    assert "killing" not in caplog.text
    assert "retired" not in caplog.text


def test_a_kit_that_cannot_be_loaded_ends_at_once(notes, tmp_path, monkeypatch, caplog):
    (tmp_path / "broken.py").write_text("import json\nraise RuntimeError('no such luck')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(WorkerStartFailed, match="RuntimeError: no such luck"):
        start_processes(KitReference("broken:kit"), 2, settings())
    assert caplog.text.count("Traceback") == 1


def test_a_store_of_one_process_is_refused(notes):
    from crewed import Handler

    from taskkit.kit import Kit

    with pytest.raises(TaskkitError, match=r"memory.*Kit\.running"):
        supervise(Kit(MemoryBackend(), Handler()), 1, settings())


def test_a_kit_that_cannot_be_sent_is_refused(notes):
    from crewed import Handler, Noted

    from taskkit.kit import Kit

    class Local(Handler):
        pass

    with pytest.raises(InvalidSetting, match="top level of a module"):
        supervise(Kit(Noted(str(notes.file)), Local()), 1, settings())


def test_should_restart_replaces_a_process_without_a_gap(kit, notes):
    asked: list[int] = []

    def should_restart(process: WorkerProcess) -> bool:
        if process.restarts:
            process.terminate()
            return False
        asked.append(process.pid)
        return True

    supervise(kit, 1, settings(), should_restart=should_restart)
    order = [json.loads(line)["did"] for line in notes.file.read_text().splitlines()]
    assert len(asked) == 1
    assert order == ["register", "register", "retire", "retire"]


def test_helper_services_may_differ_by_process(kit, start, notes):
    seen: list[int] = []
    processes = start_processes(
        kit, 2, settings(), helper_services=lambda index: not seen.append(index)
    )
    for process in processes:
        process.terminate()
    assert all(process.join(PATIENCE) for process in processes)
    assert seen == [0, 1]


# ---- a program of its own: signals, its death, its newer code

PROGRAM = """\
import logging, sys
sys.path.insert(0, {here!r})
from crewed import make_kit
from taskkit.settings import Slots, WorkerSettings
from taskkit.worker.launch import KitReference
from taskkit.worker.supervisor import supervise

if __name__ == "__main__":
    settings = WorkerSettings(groups={{"work": Slots(2)}}, grace=3.0)
    supervise({kit}, 2, settings, start_method={method!r}, log_level="info")
    print("returned")
"""


@pytest.fixture
def program(tmp_path, notes):
    running: list[subprocess.Popen[str]] = []

    def run(*, method="forkserver", kit=None) -> subprocess.Popen[str]:
        kit = kit or f"make_kit({str(notes.file)!r})"
        file = tmp_path / "program.py"
        file.write_text(PROGRAM.format(here=str(HERE), kit=kit, method=method))
        process = subprocess.Popen(
            [sys.executable, str(file)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        running.append(process)
        eventually(lambda: len(notes.all("register")) >= 2, "both workers register")
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


@both
def test_sigterm_ends_all_gracefully(program, notes, method):
    supervisor = program(method=method)
    workers = [note["pid"] for note in notes.all("register")]
    supervisor.terminate()
    out, _ = supervisor.communicate(timeout=PATIENCE)
    assert supervisor.returncode == 0
    assert out == "returned\n"
    assert all(gone(pid) for pid in workers)
    assert [n["lost"] for n in notes.all("retire")] == [False, False]


def test_ctrl_c_reaches_the_group_and_is_one_graceful_stop(program, notes):
    supervisor = program()
    os.killpg(supervisor.pid, signal.SIGINT)
    out, err = supervisor.communicate(timeout=PATIENCE)
    assert out == "returned\n"
    assert "Traceback" not in err
    assert [n["lost"] for n in notes.all("retire")] == [False, False]


@both
def test_workers_end_when_their_supervisor_is_killed(program, notes, method):
    supervisor = program(method=method)
    workers = [note["pid"] for note in notes.all("register")]
    parents = {parent_of(pid) for pid in workers}
    supervisor.kill()
    eventually(lambda: all(gone(pid) for pid in workers), "they notice")
    eventually(lambda: len(notes.all("retire")) == 2)
    eventually(lambda: all(gone(pid) for pid in parents), "the template follows")


FORKING = """\
import os, signal, sys
sys.path.insert(0, {here!r})
from crewed import make_kit
from taskkit.settings import Slots, WorkerSettings
from taskkit.worker.supervisor import start_processes

if __name__ == "__main__":
    settings = WorkerSettings(groups={{"work": Slots(2)}}, grace=3.0)
    start_processes(make_kit({file!r}), 1, settings, start_method={method!r})
    fork = os.fork()
    if fork == 0:
        signal.pause()
    print(fork, flush=True)
    signal.pause()
"""


@both
def test_a_fork_of_the_program_does_not_hide_its_death(tmp_path, notes, method):
    file = tmp_path / "program.py"
    file.write_text(FORKING.format(here=str(HERE), file=str(notes.file), method=method))
    program = subprocess.Popen([sys.executable, str(file)], stdout=subprocess.PIPE, text=True)
    fork = int(program.stdout.readline())
    try:
        (worker,) = (note["pid"] for note in eventually(lambda: notes.all("register")))
        parent = parent_of(worker)
        program.kill()
        program.wait()
        eventually(lambda: gone(worker), "the worker notices")
        eventually(lambda: gone(parent), "the template follows")
        assert not gone(fork)
    finally:
        program.kill()
        program.wait()
        os.kill(fork, signal.SIGKILL)
        program.stdout.close()


def test_sighup_loads_newer_code_and_keeps_workers_if_it_is_broken(program, notes, tmp_path):
    app = tmp_path / "app.py"
    app.write_text(f"from crewed import make_kit\nkit = make_kit({str(notes.file)!r})\n")
    supervisor = program(kit="KitReference('app:kit')")
    before = [note["pid"] for note in notes.all("register")]

    app.write_text("kit = 1 +\n")
    supervisor.send_signal(signal.SIGHUP)
    for line in supervisor.stderr:
        if "cannot be loaded" in line:
            break
    assert not any(gone(pid) for pid in before)

    app.write_text(
        f"from crewed import make_kit\nkit = make_kit({str(notes.file)!r})\n"
        "kit.backend.note(did='loaded anew')\n"
    )
    supervisor.send_signal(signal.SIGHUP)
    eventually(lambda: len(notes.all("register")) == 4, "two successors")
    eventually(lambda: all(gone(pid) for pid in before), "the old ones leave")
    assert len(notes.all("loaded anew")) == 1
    assert not [n for n in notes.all("retire") if n["lost"]]
    supervisor.terminate()
    supervisor.communicate(timeout=PATIENCE)
    assert supervisor.returncode == 0
