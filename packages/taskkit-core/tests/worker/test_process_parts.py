"""The parts around worker processes that need none: lines, delays, names, the main program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from taskkit.errors import InvalidSetting
from taskkit.worker import launch
from taskkit.worker.backoff import Backoff
from taskkit.worker.discovery import discover, load_kit
from taskkit.worker.launch import MainProgram, import_main
from taskkit.worker.line import Line

HERE = Path(__file__).parent

# ---- lines


@pytest.fixture
def ends():
    near, far = Line.pair()
    pair = near, Line(far)
    yield pair
    for line in pair:
        line.close()


def test_messages_arrive_whole_and_in_order(ends):
    near, far = ends
    for number in range(100):
        assert near.send(("message", number))
    assert far.receive() == [("message", number) for number in range(100)]
    assert far.receive() == []
    assert not far.ended


def test_the_first_message_can_be_waited_for_without_those_behind_it(ends):
    near, far = ends
    near.send("first")
    near.send("second")
    assert far.wait() == "first"
    assert far.receive() == ["second"]


def test_files_travel_with_their_messages_and_are_not_inherited(ends, tmp_path):
    near, far = ends
    for name in ("one", "two"):
        with (tmp_path / name).open("w") as file:
            near.send(name, file.fileno())
    assert far.receive() == ["one", "two"]
    for name in ("one", "two"):
        descriptor = far.file()
        assert not os.get_inheritable(descriptor)
        assert os.fstat(descriptor).st_ino == (tmp_path / name).stat().st_ino
        os.close(descriptor)


def test_a_line_ends_when_the_other_end_is_closed(ends):
    near, far = ends
    near.send("last words")
    near.close()
    assert far.receive() == ["last words"]
    assert far.ended
    assert far.wait() is None
    assert not far.send("too late")


def test_signals_in_the_middle_of_a_message_do_not_end_the_wait_for_it(ends):
    near, far = ends
    handled = threading.Event()
    before = signal.signal(signal.SIGUSR2, lambda *_: handled.set())
    reader = threading.get_ident()
    near.send("a message")
    frame = far._socket.recv(4096)

    def send_with_signals() -> None:
        for byte in frame:
            near._socket.send(bytes([byte]))
            handled.clear()
            signal.pthread_kill(reader, signal.SIGUSR2)
            # Again: one that comes just before the reader waits is only handled after that.
            while not handled.wait(0.01):
                signal.pthread_kill(reader, signal.SIGUSR2)

    sender = threading.Thread(target=send_with_signals)
    sender.start()
    try:
        assert far.wait() == "a message"
    finally:
        sender.join()
        signal.signal(signal.SIGUSR2, before)


# ---- delays


def test_quick_deaths_are_followed_by_longer_and_longer_delays():
    backoff = Backoff()
    assert [backoff.delay(0.5) for _ in range(9)] == [0, 0, 0, 0, 0, 1, 2, 4, 8]
    never_worked = Backoff()
    assert [never_worked.delay(0) for _ in range(8)] == [0, 1, 2, 4, 8, 16, 30, 30]


def test_who_has_worked_is_replaced_at_once_but_only_a_minute_of_health_forgets():
    backoff = Backoff()
    assert [backoff.delay(0.1) for _ in range(6)][-1] == 1
    assert backoff.delay(1.0) == 0
    assert backoff.delay(0.1) == 2
    assert backoff.delay(60.0) == 0
    assert backoff.delay(0.1) == 0


# ---- finding the kit


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(HERE), *sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)


KIT = "from crewed import make_kit\nkit = make_kit('notes')\n"


def test_a_kit_is_found_in_the_working_folder(folder):
    write(folder, kits_here=f"{KIT}class Inner:\n    kit = kit\n\ndef make():\n    return kit\n")
    kit = load_kit("kits_here:kit")
    assert load_kit("kits_here") is kit
    assert load_kit("kits_here:make") is kit
    assert load_kit("kits_here:Inner.kit") is kit


@pytest.mark.parametrize(
    ("app", "says"),
    [
        ("kits_there:kit", "no module 'kits_there'"),
        ("kits_here:missing", r"has no 'missing'; its kits: kits_here:kit"),
        ("kits_here:number", "expected a Kit.*found 3; its kits: kits_here:kit"),
        ("kits_none", "has no 'kit'; there is no Kit in it"),
        ("not-a-name:kit", "expected an importable name"),
        (":kit", "expected an importable name"),
    ],
)
def test_a_wrong_name_is_explained(folder, app, says):
    write(folder, kits_here=f"{KIT}number = 3\n", kits_none="")
    with pytest.raises(InvalidSetting, match=says):
        load_kit(app)


def test_an_error_inside_the_module_comes_through(folder):
    write(folder, kits_broken="import no_such_module_anywhere\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        load_kit("kits_broken:kit")


def test_discovery_honours_packages_and_leaves_foreign_folders_out(folder):
    for part in ("shop/orders", "plain", ".hidden", "venv/lib", "site-packages/other"):
        (folder / part).mkdir(parents=True)
        (folder / part / "tasks.py").write_text("")
    (folder / "venv" / "pyvenv.cfg").write_text("")
    for package in ("shop", "shop/orders"):
        (folder / package / "__init__.py").write_text("")
    assert discover("**/tasks.py") == ["plain.tasks", "shop.orders.tasks"]
    assert "shop.orders.tasks" in sys.modules


def test_discovery_names_modules_by_the_search_path(folder):
    (folder / "src" / "goods").mkdir(parents=True)
    (folder / "src" / "goods" / "__init__.py").write_text("")
    (folder / "src" / "goods" / "tasks.py").write_text("")
    sys.path.insert(0, str(folder / "src"))
    assert discover("src/**/tasks.py") == ["goods.tasks"]


def test_discovery_refuses_what_it_cannot_do(folder):
    with pytest.raises(InvalidSetting, match="found none below"):
        discover("**/tasks.py")
    (folder / "not-a-name").mkdir()
    (folder / "not-a-name" / "tasks.py").write_text("")
    with pytest.raises(InvalidSetting, match="no name that could be imported"):
        discover("**/tasks.py")


# ---- the main program


@pytest.fixture
def main_module(monkeypatch):
    """Put back what importing a main program replaces."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setitem(sys.modules, "__mp_main__", sys.modules["__main__"])


def test_a_program_is_imported_up_to_where_it_would_start_again(tmp_path, main_module):
    file = tmp_path / "program.py"
    file.write_text(
        "from taskkit.worker.launch import importing_main, stop_import_here\n"
        "name, importing = __name__, importing_main()\n"
        "class Handler: pass\n"
        "try:\n    stop_import_here()\nexcept Exception:\n    pass\n"
        "after = True\n"
    )
    import_main(MainProgram(None, str(file)))
    main = sys.modules["__main__"]
    assert main is sys.modules["__mp_main__"]
    assert (main.name, main.importing) == ("__mp_main__", True)
    assert main.Handler.__module__ == "__mp_main__"
    assert not hasattr(main, "after")
    assert not launch.importing_main()
    launch.stop_import_here()  # outside of such an import it does nothing


def test_a_module_that_is_run_with_m_keeps_its_package(tmp_path, main_module, monkeypatch):
    (tmp_path / "runnable").mkdir()
    (tmp_path / "runnable" / "__init__.py").write_text("VALUE = 7\n")
    (tmp_path / "runnable" / "program.py").write_text("from . import VALUE\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import_main(MainProgram("runnable.program", None))
    assert sys.modules["__main__"].VALUE == 7


def test_a_handler_of_an_interactive_session_is_refused(tmp_path):
    code = (
        "from crewed import Handler, Noted\n"
        "from taskkit import Kit\n"
        "class Mine(Handler): pass\n"
        "Kit(Noted('notes'), Mine()).start(1, {'work': 1})\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=15,
    )
    assert "interactive session" in ended.stderr
    assert "kit.running()" in ended.stderr
