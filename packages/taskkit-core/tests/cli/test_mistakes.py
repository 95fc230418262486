"""A user's mistake is answered by one line and exit code 2, never by a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TASKKIT_URL", raising=False)
    monkeypatch.delenv("TASKKIT_APP", raising=False)
    (tmp_path / "broken_app.py").write_text("x = 1\nraise ValueError('no settings')\n")
    (tmp_path / "lacking_app.py").write_text("import not_installed_anywhere\n")
    (tmp_path / "odd_app.py").write_text(
        "from taskkit import Kit, TaskRegistry, connect\n"
        "mine = Kit(connect('memory'), TaskRegistry())\nkit = 5\n"
    )
    yield
    for name in ("broken_app", "lacking_app", "odd_app"):
        sys.modules.pop(name, None)
    sys.path[:] = [entry for entry in sys.path if entry != str(tmp_path)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["worker"], "which kit?"),
        (["worker", "odd_app"], "at least one group"),
        (["worker", "odd_app", "-g", "mail=8"], "expected a Kit, or a function"),
        (["worker", "odd-app:kit", "-g", "mail=8"], "expected an importable name"),
        (["worker", "nowhere:kit", "-g", "mail=8"], "no module 'nowhere' can be found"),
        (["worker", "odd_app:nothing", "-g", "mail=8"], "its kits: odd_app:mine"),
        (["worker", "odd_app:kit", "-g", "mail=8"], "expected a Kit, or a function"),
        (["worker", "broken_app:kit", "-g", "mail=8"], "broken_app.py, line 2"),
        (["worker", "lacking_app:kit", "-g", "mail=8"], "No module named 'not_installed_anywhere'"),
        (["worker", "odd_app:mine", "-g", "mail"], "expected NAME=SLOTS"),
        (["worker", "odd_app:mine", "-g", "mail=0"], "slots of group 'mail'"),
        (["worker", "odd_app:mine", "-g", "mail=fast:3"], "slots of group 'mail'"),
        (["worker", "odd_app:mine", "-g", "mail=1", "-g", "mail=2"], "given twice"),
        (["worker", "odd_app:mine", "-g", "mail=1", "--processes", "0"], "num_processes"),
        (["stats", "--url", "sqlitee:///x.db"], "expected a URL scheme that is installed"),
        (["stats", "--url", "x.db"], "expected a URL scheme that is installed"),
        (["stats", "--app", "odd_app:kit"], "expected a Kit, or a function"),
        (["tasks", "list", "--url", "memory://", "--limit", "9" * 20], "limit: expected"),
        (["tasks", "list", "--url", "memory://", "--after", "\udcff"], "after: expected 'next'"),
        (["tasks", "list", "--url", "memory://", "--group", "\udcff"], "group: expected"),
        (["tasks", "list", "--url", "memory://", "--name", "\n"], "name: expected"),
        (["tasks", "list", "--url", "memory://", "--label", "a=\udcff"], "label 'a': expected"),
        (["tasks", "show", "--url", "memory://", "mail_\udcff"], "id: expected"),
        (["tasks", "delete", "--url", "memory://", "mail_0", "mail_\udcff"], "id: expected"),
        (["tasks", "cancel", "--url", "memory://", "--label", f"a={2**70}"], "label 'a': expected"),
        (["tasks", "cancel", "--url", "memory://", "--group", "a..b"], "no empty part"),
        (["groups", "pause", "a..b"], "no empty part"),
        (["groups", "pause", "mail", "--for", "-3"], "--for: expected seconds"),
    ],
)
def test_mistake(run, arguments, expected):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert expected in err
    # Only the user's own code, when it raises, is worth a traceback, and that comes first.
    assert err.splitlines()[-1].startswith("taskkit: ")
    assert expected in err.splitlines()[-1]
    assert "Traceback" not in err or arguments[1] in ("broken_app:kit", "lacking_app:kit")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tasks", "list", "--limit", "0"], "a whole number from 1"),
        (["tasks", "list", "--state", "done"], "invalid choice: 'done'"),
        (["tasks", "list", "--label", "tenant"], "expected KEY=VALUE"),
        (["worker", "a:b", "--max-rss", "12X"], "512M or 2G"),
        (["worker", "a:b", "--grace", "soon"], "expected seconds"),
        (["dance"], "invalid choice: 'dance'"),
    ],
)
def test_option_that_cannot_be_parsed(run, arguments, expected):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert expected in err


def test_sizes():
    from taskkit.cli.values import size

    assert [size("1"), size("3k"), size("512M"), size("2G")] == [1, 3 << 10, 512 << 20, 2 << 30]


def test_a_command_that_only_groups_commands_says_what_there_is(run):
    for command in ([], ["tasks"], ["groups"], ["db"], ["workers"]):
        code, out, _ = run(*command)
        assert code == 2
        assert "COMMAND" in out


def test_output_may_be_cut_off():
    done = subprocess.run(
        [f"{sys.executable} -m taskkit --help | head -1"],
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("usage: taskkit")
    assert done.stderr == ""
