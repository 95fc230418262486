"""The pytest plugin and the command, as a person uses them: in processes of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(60)  # each of them starts Python, some of them three times

SUITE = ("pytest", "--pyargs", "taskkit_conformance")
FEW = ("--taskkit-property=ORD-03", "--taskkit-property=SCH-04", "--taskkit-lanes=model")


def test_runs_from_an_empty_folder(run):
    done = run(*SUITE, *FEW, "--taskkit-backend=memory", "-v")
    assert done.returncode == 0, done.stdout
    assert "taskkit_conformance::ORD-03[model] PASS" in done.stdout
    assert "properties: 2 PASS" in done.stdout


def test_says_what_is_tested_before_the_first_test(run):
    done = run(*SUITE, *FEW, "--taskkit-backend=memory", "--taskkit-seed=7")
    header = done.stdout.partition("taskkit_conformance .")[0]
    assert "memory (taskkit-core" in header
    assert "of 2 properties, quick" in header
    assert "seed 7" in header
    assert "not durable" in header


def test_runs_under_the_settings_of_a_foreign_project(run, tmp_path):
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = --strict-markers --strict-config\npython_files = check_*.py\n"
        "python_classes = Check\nfilterwarnings = error\nxfail_strict = true\n"
    )
    done = run(*SUITE, *FEW, "--taskkit-backend=memory")
    assert done.returncode == 0, done.stdout


def test_takes_the_environment_in_place_of_options(run):
    done = run(*SUITE, TASKKIT_BACKEND="memory", TASKKIT_PROPERTY="ORD-03", TASKKIT_LANES="model")
    assert done.returncode == 0, done.stdout
    assert "properties: 1 PASS" in done.stdout


def test_the_command_takes_the_environment_too(run):
    few = ["--property", "ORD-03", "--lanes", "model"]
    done = run("taskkit_conformance.cli", *few, TASKKIT_BACKEND="memory")
    assert done.returncode == 0, done.stdout
    assert "properties: 1 PASS" in done.stdout


def test_says_where_a_property_is_tested_when_it_is_not_in_the_lanes_asked_for(run):
    done = run("taskkit_conformance.cli", "memory", "--property", "LIM-01", "--lanes", "chaos")
    assert done.returncode == 2, done.stdout
    assert "there are some of LIM-01 in model, interleave, race" in done.stdout


def test_does_nothing_in_other_runs(run, tmp_path):
    (tmp_path / "test_mine.py").write_text(
        "import sys\n"
        "def test_mine():\n"
        "    for name in ('hypothesis', 'taskkit', 'taskkit_conformance.bench'):\n"
        "        assert name not in sys.modules\n"
    )
    done = run("pytest", "-p", "no:randomly", "-p", "no:hypothesispytest", TASKKIT_BACKEND="memory")
    assert done.returncode == 0, done.stdout
    assert "conformance of" not in done.stdout


def test_a_class_in_a_repository_of_a_backend_holds_every_check(run, tmp_path):
    (tmp_path / "test_conformance.py").write_text(
        "from taskkit_conformance import conformance\n"
        "TestMyStore = conformance('memory', url=lambda: 'memory://mine')\n"
    )
    done = run("pytest", "-v", *FEW)
    assert done.returncode == 0, done.stdout
    assert "test_conformance.py::TestMyStore::SCH-04[model] PASS" in done.stdout
    assert "memory://mine" in done.stdout


def test_reports_a_failure_in_words(run):
    done = run(*SUITE, *FEW, "--taskkit-backend=forgetful", "--taskkit-seed=3")
    assert done.returncode == 1, done.stdout
    assert "SCH-04[model]: The state's bytes come back" in done.stdout
    assert "advance schedule" in done.stdout
    assert "Repeat it: taskkit-conformance forgetful --property SCH-04" in done.stdout
    assert "--seed 3" in done.stdout
    assert "strange 1.0" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("environment", [{}, {"CI": "true"}], ids=["at a desk", "in CI"])
def test_the_command_that_repeats_a_failure_repeats_it(run, environment):
    first = run(*SUITE, *FEW, "--taskkit-backend=forgetful", **environment)
    repeats = [each for each in first.stdout.splitlines() if "Repeat it: " in each]
    assert len(repeats) == 1, first.stdout  # what does not fail must not be told of as if it did
    command = repeats[0].partition("Repeat it: ")[2].split()
    assert command[:4] == ["taskkit-conformance", "forgetful", "--property", "SCH-04"]
    again = run("taskkit_conformance.cli", *command[1:])
    assert again.returncode == 1, again.stdout
    witness = [each for each in first.stdout.splitlines() if "witness = " in each]
    assert witness == [each for each in again.stdout.splitlines() if "witness = " in each]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--taskkit-backend=nobody"], "expected a backend that is installed"),
        (["--taskkit-backend=unreachable"], "caused by ConnectionRefusedError"),
        (["--taskkit-backend=clockless"], "the clock that the backend was opened with"),
        (["--taskkit-backend=occupied"], "expected an empty place, found 1 tasks"),
        (["--taskkit-backend=memory", "--taskkit-profile=hasty"], "expected a profile of quick"),
        (["--taskkit-backend=memory", "--taskkit-property=LEA-99"], "did you mean LEA-09"),
        (["--taskkit-backend=memory", "--taskkit-property=EVT-01"], "EVT-01 is withdrawn"),
        (["--taskkit-backend=memory", "--taskkit-expected=none.toml"], "none.toml"),
        ([], "expected --taskkit-backend=NAME"),
    ],
)
def test_ends_with_2_and_the_reason_where_the_set_up_is_wrong(run, arguments, reason):
    done = run(*SUITE, *arguments)
    assert done.returncode == 2, done.stdout
    assert reason in done.stdout


def test_a_store_that_is_not_empty_is_cleared_when_that_is_allowed(run):
    done = run(*SUITE, *FEW, "--taskkit-backend=occupied", "--taskkit-clear")
    assert done.returncode == 0, done.stdout


def test_executing_nothing_is_an_error(run):
    done = run(*SUITE, *FEW, "--taskkit-backend=memory", "-k", "nothing")
    assert done.returncode == 2, done.stdout
    assert "nothing was executed" in done.stdout


def test_a_class_whose_store_is_not_there_ends_with_2(run, tmp_path):
    (tmp_path / "test_conformance.py").write_text(
        "from taskkit_conformance import conformance\nTestIt = conformance('unreachable')\n"
    )
    done = run("pytest", *FEW)
    assert done.returncode == 2, done.stdout
    assert "Connection refused" in done.stdout


def test_worker_processes_share_a_report(run, tmp_path):
    pytest.importorskip("xdist")
    done = run(*SUITE, *FEW, "--taskkit-backend=memory", "-n2", "--taskkit-report=out")
    assert done.returncode == 0, done.stdout
    data = json.loads((tmp_path / "out" / "report.json").read_text())
    assert set(data["properties"]) == {"ORD-03", "SCH-04"}
    assert "properties: 2 PASS" in done.stdout


def test_worker_processes_end_with_2_where_the_set_up_is_wrong(run):
    pytest.importorskip("xdist")
    done = run(*SUITE, "--taskkit-backend=unreachable", "-n2")
    assert done.returncode == 2, done.stdout


def test_a_failure_that_is_expected_is_repeated_from_its_witness_until_it_is_mended(run, tmp_path):
    first = run(*SUITE, *FEW, "--taskkit-backend=forgetful")
    lines = first.stdout.splitlines()
    start = next(n for n, line in enumerate(lines) if line.strip() == "[SCH-04]")
    entry = "\n".join(line.strip() for line in lines[start : start + 5])
    (tmp_path / "conformance.toml").write_text(entry)
    expected = run(*SUITE, *FEW, "--taskkit-backend=forgetful", "-v")
    assert expected.returncode == 0, expected.stdout
    assert "SCH-04[model] EXPECTED" in expected.stdout
    mended = run(*SUITE, *FEW, "--taskkit-backend=memory", "-v")
    assert mended.returncode == 1, mended.stdout
    assert "remove this entry" in mended.stdout


def test_an_entry_without_witness_that_fails_nowhere_is_stale(run, tmp_path):
    (tmp_path / "conformance.toml").write_text('[SCH-04]\nreason = "?"\nissue = "https://x/1"\n')
    done = run(*SUITE, *FEW, "--taskkit-backend=memory")
    assert done.returncode == 1, done.stdout
    assert "STALE          SCH-04: it does not fail any more" in done.stdout


def test_the_command_runs_the_same_suite(run, tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    done = run("taskkit_conformance.cli", "memory", "--property", "ORD-03", "--lanes", "model")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "properties: 1 PASS" in done.stdout
    assert "warning" not in done.stdout


def test_sqlite_needs_no_url(run):
    pytest.importorskip("taskkit_sql")
    done = run(*SUITE, *FEW, "--taskkit-backend=sql")
    assert done.returncode == 0, done.stdout


def test_sqlite_gets_tables_of_its_own_in_the_file_of_a_url(run, tmp_path):
    pytest.importorskip("taskkit_sql")
    import sqlite3

    file = Path(tmp_path, "mine.db")
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE taskkit_mine (x)")
    done = run(*SUITE, *FEW, "--taskkit-backend=sql", f"--taskkit-url=sqlite:///{file}")
    assert done.returncode == 0, done.stdout
    with sqlite3.connect(file) as connection:
        [(name,)] = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    assert name == "taskkit_mine"
