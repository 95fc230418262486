"""What is wrong with TASKKIT is told, and what would be."""

import os
import subprocess
import sys

import pytest
from django.core.checks import Error, Info, Warning  # noqa: A004 - Django's
from django.core.management import call_command

from taskkit import connect
from taskkit.errors import InvalidSetting
from taskkit_django import checks
from taskkit_django.settings import read_settings


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"DATABAS": "default"}, "found 'DATABAS'; did you mean 'DATABASE'?"),
        ({"DATABASE": "nowhere"}, r"expected an alias of DATABASES \(default"),
        ({"PREFIX": "1; DROP"}, "prefix: expected at most 30 letters"),
        ({"NOTIFY": "no"}, "expected True or False, found 'no'"),
        ({"GROUPS": ["mail"]}, r"\['GROUPS'\]: expected a dict"),
        ({"GROUPS": {"mail": 0}}, "slots of group 'mail': expected 1 to"),
        ({"GROUPS": {"mail..x": 1}}, "group: expected no empty part"),
        ({"PROCESSES": 0}, "processes"),
        ({"LEASE": -1}, "lease"),
        ({"AUTODISCOVER": 3}, r"\['AUTODISCOVER'\]: expected an import path or None, found 3"),
        ({"PLUGINS": "one"}, r"\['PLUGINS'\]: expected a list of import paths, found 'one'"),
        ("default", "expected a dict, found 'default'"),
    ],
)
def test_what_is_not_understood_is_refused(settings, said, message):
    settings.TASKKIT = said
    with pytest.raises(InvalidSetting, match=message):
        read_settings()
    [found] = checks.check_settings()
    assert isinstance(found, Error)
    assert "TASKKIT takes AUTODISCOVER" in found.hint


@pytest.mark.parametrize("path", ["nowhere.kit", "project.kits.missing", "project.kits"])
def test_a_kit_that_is_not_there_is_told(settings, path):
    settings.TASKKIT = {"KIT": path}
    [found] = checks.check_settings()
    assert (found.id, "expected" in found.msg) == ("taskkit.E002", True)


@pytest.mark.parametrize("path", ["nowhere.Plugin", "project.kits.missing", "noDot", 7])
def test_a_plugin_that_is_not_there_is_told(settings, path):
    settings.TASKKIT = {"PLUGINS": [path]}
    [found] = checks.check_settings()
    assert (found.id, "['PLUGINS']: expected the path" in found.msg) == ("taskkit.E002", True)
    assert found.hint
    assert checks.check_database(databases=["default"]) == []  # told once


@pytest.mark.parametrize("path", ["nowhere.redact", "project.kits.missing", "project.kits.HANDLER"])
def test_a_redaction_that_would_break_the_admin_is_told(project, place, settings, path):
    settings.TASKKIT = {"DATABASE": project(place, migrate=False), "REDACT": path}
    [found] = checks.check_settings()
    assert (found.id, path in found.msg) == ("taskkit.E004", True)


@pytest.mark.parametrize("entries", ["x", [{"key": "a"}], [{"key": "a", "schedule": "daily"}]])
def test_schedules_that_no_worker_could_start_with_are_told(project, place, settings, entries):
    settings.TASKKIT = {
        "DATABASE": project(place, migrate=False),
        "SCHEDULES": {"settings": entries},
    }
    [found] = checks.check_settings()
    assert (found.id, "scheduler 'settings'" in found.msg) == ("taskkit.E005", True)


def test_a_file_whose_readers_wait_for_writers_is_told(project, tmp_path):
    project({"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "x.db")})
    [found] = checks.check_settings()
    assert isinstance(found, Info)
    assert "journal_mode=WAL" in found.hint


def test_a_database_in_memory_is_told(project):
    project({"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}, migrate=False)
    [found] = checks.check_settings()
    assert isinstance(found, Warning)


@pytest.mark.parametrize("given", [(), (False,)])
def test_a_kit_is_made_as_the_first_taskkit_made_it(alias, given):
    from taskkit.impl.django import make_kit
    from taskkit_django.backend.opening import house_of
    from taskkit_django.handler import HANDLER

    for kit in (make_kit(HANDLER, *given), make_kit(HANDLER, use_queue_table=True)):
        assert kit.handler is HANDLER
        assert house_of(kit.backend).alias == alias
        kit.close()


def test_missing_tables_are_told(project, place):
    alias = project(place, migrate=False)
    assert checks.check_settings() == []
    assert checks.check_database() == []
    # Not while they are about to be made: "migrate" itself runs this check.
    assert checks.check_database(databases=[alias]) == []
    call_command("migrate", "taskkit", database=alias, fake=True, verbosity=0)
    [found] = checks.check_database(databases=[alias])
    assert found.hint == f"Run manage.py migrate taskkit --database {alias}."


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("", "DJANGO_SETTINGS_MODULE"),
        ("from django.conf import settings; settings.configure()", "taskkit.contrib.django"),
    ],
)
def test_what_a_project_lacks_is_told(program, message):
    asks = "from taskkit import connect\ntry: connect('django')\nexcept ValueError as e: print(e)"
    environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    answer = subprocess.run(
        [sys.executable, "-c", f"{program}\n{asks}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert message in answer.stdout, answer.stderr


def test_an_unknown_option_is_told():
    with pytest.raises(InvalidSetting, match="one of using, prefix, notify, found 'alias'"):
        connect("django", alias="default")
