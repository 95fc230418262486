"""What is wrong with TASKKIT is told, and what would be."""

import pytest
from django.core.checks import Error, Info, Warning  # noqa: A004 - Django's

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
        ({"GROUPS": {"mail": 0}}, "slots of a group: expected 1 to"),
        ({"PROCESSES": 0}, "processes"),
        ({"LEASE": -1}, "lease"),
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


def test_a_file_whose_readers_wait_for_writers_is_told(project, tmp_path):
    project({"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "x.db")})
    [found] = checks.check_settings()
    assert isinstance(found, Info)
    assert "journal_mode=WAL" in found.hint


def test_a_database_in_memory_is_told(project):
    project({"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}, migrate=False)
    [found] = checks.check_settings()
    assert isinstance(found, Warning)


def test_missing_tables_are_told(project, place):
    alias = project(place, migrate=False)
    assert checks.check_settings() == []
    assert checks.check_database() == []
    [found] = checks.check_database(databases=[alias])
    assert found.hint == f"Run manage.py migrate taskkit --database {alias}."
