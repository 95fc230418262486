"""``manage.py taskkit_…`` in a project of its own, and the first taskkit's program."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

SETTINGS = """
INSTALLED_APPS = ["django.contrib.contenttypes", "{app}", "shop"]
DATABASES = {{"default": {database!r}}}
USE_TZ = True
SECRET_KEY = "x"
"""

# To import Django takes a second each time. So a process that has done so forks for each command.
MANAGE = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
import django
from django.core.management import execute_from_command_line
django.setup()
for line in sys.stdin:
    arguments = json.loads(line)
    child = os.fork()
    if child == 0:
        for descriptor, name in enumerate([os.devnull, "stdout", "stderr"]):
            flags = os.O_CREAT | os.O_RDWR | os.O_TRUNC
            os.dup2(os.open(name, flags), descriptor)
        execute_from_command_line(["manage.py", *arguments])
        sys.exit()
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""

TASKS = """
from pathlib import Path
from taskkit import CronSchedule
from taskkit_django import task

@task(group="mail")
def send(to: str) -> str:
    return to.upper()

@task
def fails():
    raise LookupError("gone")
"""

HERE = Path(__file__).parent


@pytest.fixture
def site(tmp_path, place):
    """The folder of a new project, and the environment of its programs."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "tasks.py").write_text(TASKS)
    settings = SETTINGS.format(app="taskkit.contrib.django", database=place)
    (tmp_path / "site_settings.py").write_text(settings)
    return tmp_path, {**os.environ, "DJANGO_SETTINGS_MODULE": "site_settings"}


@pytest.fixture
def manage(site):
    """Return what runs ``manage.py`` in the project, whose tables are made."""
    folder, environment = site
    with subprocess.Popen(
        [sys.executable, "-c", MANAGE],
        cwd=folder, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip

        def run(*arguments, check=True):
            process.stdin.write(json.dumps(arguments) + "\n")
            process.stdin.flush()
            code = int(process.stdout.readline())
            stdout, stderr = ((folder / name).read_text() for name in ("stdout", "stderr"))
            assert not check or code == 0, stderr
            return subprocess.CompletedProcess(arguments, code, stdout, stderr)

        run("migrate", "taskkit")
        yield run
        process.stdin.close()


def put(manage, text):
    manage("shell", "-v", "0", "-c", f"from shop.tasks import *\n{text}")


def test_a_worker_runs_what_is_due_and_ends(manage):
    put(manage, "[send.delay(str(n)) for n in range(100)]; fails.delay()")
    ran = manage(
        *("taskkit_worker", "-g", "mail=4", "-g", "default", "--threads", "2", "-p", "2", "--once")
    )
    assert "ERROR" in ran.stderr
    assert "shop.tasks.fails failed: LookupError (default_" in ran.stderr
    assert "gone" not in ran.stderr  # what it says may be nobody's business
    counts = json.loads(manage("taskkit_stats", "--json").stdout)["counts"]
    assert {(c["group"], c["state"], c["count"]) for c in counts} == {
        ("mail", "succeeded", 100),
        ("default", "failed", 1),
    }
    assert "100" in manage("taskkit_stats").stdout


def test_prune_removes_what_is_old_enough(manage):
    put(manage, "send.delay('a'); fails.delay()")
    manage("taskkit_worker", "-g", "mail", "-g", "default", "--batch")
    assert manage("taskkit_prune").stdout == "0 tasks removed\n"
    shown = manage("taskkit_prune", "--older-than", "0s", "--dry-run").stdout
    assert shown == "2 tasks would be removed\n"
    assert manage("taskkit_prune", "--older-than", "1h").stdout == "0 tasks removed\n"
    assert manage("taskkit_prune", "--state", "failed").stdout == "1 tasks removed\n"
    assert manage("taskkit_prune", "--older-than", "0s").stdout == "1 tasks removed\n"
    refused = manage("taskkit_prune", "--older-than", "soon", check=False)
    assert "expected an age such as 14d" in refused.stderr


def test_schedules_are_listed_and_steered(manage):
    put(
        manage,
        "from taskkit_django.kit import kit\n"
        "kit().schedules.add({'key': 'nightly', 'schedule': CronSchedule('0 3 * * *'),"
        " 'group': 'mail', 'name': 'shop.tasks.send', 'data': ['x']})",
    )
    assert "nightly" in manage("taskkit_schedules").stdout
    [entry] = json.loads(manage("taskkit_schedules", "--json").stdout)["schedules"]
    assert (entry["key"], entry["scheduler"], len(entry["next"])) == ("nightly", "stored", 5)
    assert "nightly" in manage("taskkit_schedules", "list", "nightly").stdout
    assert "no entry 'x' in" in manage("taskkit_schedules", "list", "x").stdout
    manage("taskkit_schedules", "pause", "nightly")
    assert "paused" in manage("taskkit_schedules").stdout
    manage("taskkit_schedules", "resume", "nightly")
    assert manage("taskkit_schedules", "run", "nightly").stdout.startswith("put mail_")
    manage("taskkit_schedules", "remove", "nightly")
    assert "no entries" in manage("taskkit_schedules").stdout
    assert "no entry" in manage("taskkit_schedules", "pause", "x", check=False).stderr


def test_what_is_wrong_is_told_without_a_traceback(manage):
    refused = manage("taskkit_worker", "-g", "mail=none", check=False)
    assert refused.stderr.startswith("CommandError: slots of group 'mail': expected 1 to")
    for wrong in (
        ("--threads", "0"),
        ("-g", "mail", "--threads", "0"),
        ("-g", "mail=2", "-g", "mail=3"),
        ("-p", "0"),
    ):
        refused = manage("taskkit_worker", *wrong, "--once", check=False)
        assert refused.stderr.startswith("CommandError: "), wrong
        assert "expected" in refused.stderr or "given twice" in refused.stderr
    refused = manage("taskkit_schedules", "--next", "-1", check=False)
    assert "expected a number from 0 to 100, found '-1'" in refused.stderr
    ancient = manage("taskkit_prune", "--older-than", "999999d", "--dry-run")
    assert ancient.stdout == "0 tasks would be removed\n"
    assert "expected the key" in manage("taskkit_schedules", "pause", check=False).stderr


@pytest.mark.parametrize(
    "command",
    [["taskkit_stats"], ["taskkit_prune"], ["taskkit_prune", "--dry-run"], ["taskkit_schedules"]],
)
def test_missing_tables_are_told_in_a_line(project, place, command):
    alias = project(place, migrate=False)
    with pytest.raises(CommandError, match=f"run: manage.py migrate taskkit --database {alias}"):
        call_command(*command, skip_checks=True)


README = """
import django
django.setup()

{program}
"""


def test_the_program_of_the_first_taskkit_runs(manage, site):
    folder, environment = site
    program = (HERE / "first_taskkit.txt").read_text()
    (folder / "program.py").write_text(README.format(program=program))
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["1 -> [2]", "discarded", "tick"]
