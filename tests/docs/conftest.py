"""Projects of Django that are made of the blocks of ``docs/django.md``, as a reader makes them."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "django.md"
PLACE = re.compile(r"^#{2,3} (.+)$|^\*\*(.+?)\*\*", re.M)
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.M | re.S)
FILE = re.compile(r"# ([\w/]+\.py)\n")

TASKS_SEEN = """
import json
from taskkit_django.models import Task
print(json.dumps([
    [t.name, t.group, t.get_state_display(), json.loads(bytes(t.data)),
     None if t.result is None else json.loads(bytes(t.result))]
    for t in Task.objects.order_by("created", "id")
]))
"""


class Guide:
    """The page, by what stands in bold or as a heading above a block."""

    def __init__(self, text):
        self.files = defaultdict(dict)
        """The text of each file, by place and name."""
        self.commands = defaultdict(list)
        """The lines of blocks for a terminal, by place."""
        self.unnamed = []
        """Blocks of Python that belong to no file."""
        for found in BLOCK.finditer(text):
            before = [a or b for a, b in PLACE.findall(text[: found.start()])]
            self._add(before[-1], *found.groups())

    def _add(self, place, language, block):
        if language == "sh":
            self.commands[place] += [line.partition("#")[0].strip() for line in block.splitlines()]
        elif named := FILE.match(block):
            files = self.files[place]
            files[named[1]] = files.get(named[1], "") + block
        else:
            self.unnamed.append(block)


class Project:
    """A folder with a project."""

    def __init__(self, folder):
        self.folder = folder
        self._environment = dict(os.environ)
        for name in ("DJANGO_SETTINGS_MODULE", "PYTHONPATH"):  # ours, not a reader's
            self._environment.pop(name, None)

    def write(self, name, text):
        """Write a file; what is said of the settings and URLs is added to those that there are."""
        if name in {"settings.py", "urls.py"}:
            path = self.folder / "project" / name
            text = f"{path.read_text('utf-8')}\n{text}"
        else:
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")

    def run(self, *arguments, stdin=None):
        ended = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended

    def manage(self, *arguments, stdin=None):
        return self.run("manage.py", *arguments, stdin=stdin)

    @contextmanager
    def working(self, *arguments):
        """Have a worker run meanwhile."""
        command = [sys.executable, "manage.py", "taskkit_worker", *arguments]
        with subprocess.Popen(command, cwd=self.folder, env=self._environment) as worker:
            try:
                yield
            finally:
                worker.terminate()
        assert worker.returncode == 0

    def command(self, line):
        """Run a line that the page has for a terminal."""
        python, *arguments = line.split()
        assert python == "python"
        return self.run(*arguments)

    def shell(self, text):
        """Run some Python with the project set up; return what it prints."""
        return self.manage("shell", "-v", "0", "-c", text).stdout

    def rows(self, sql, database="db.sqlite3"):
        """Return what a query finds, past Django."""
        with closing(sqlite3.connect(self.folder / database)) as connection:
            return connection.execute(sql).fetchall()

    def tasks(self):
        """Return name, group, state, data and result of each task, the oldest first."""
        return json.loads(self.shell(TASKS_SEEN))

    def states(self):
        """Return the state of each task by its one argument ``order_id``, however it was given."""
        return {_first(data): state for _, _, state, data, _ in self.tasks()}


def _first(data):
    if "args" in data:
        return data["args"][0] if data["args"] else data["kwargs"]["order_id"]
    return data["order_id"]


@pytest.fixture(scope="session")
def guide():
    return Guide(PAGE.read_text("utf-8"))


@pytest.fixture(scope="session")
def empty_project(tmp_path_factory):
    """What ``startproject`` makes, with an app of the reader's."""
    project = Project(tmp_path_factory.mktemp("empty"))
    project.run("-m", "django", "startproject", "project", ".")
    project.write("shop/__init__.py", "")
    project.write("settings.py", "INSTALLED_APPS += ['shop']\n")
    return project


@pytest.fixture(scope="session")
def begun_project(guide, empty_project, tmp_path_factory):
    """The same after the chapter "Begin"."""
    project = _copy(empty_project, tmp_path_factory.mktemp("begun"))
    for name, text in guide.files["Begin"].items():
        project.write(name, text)
    _pip, migrate, _worker = guide.commands["Begin"]
    project.command(migrate)
    return project


def _copy(project, folder):
    shutil.copytree(project.folder, folder, dirs_exist_ok=True)
    return Project(folder)


@pytest.fixture
def project_of(guide, empty_project, begun_project, tmp_path):
    """Make a project of what stands at some places of the page, after "Begin" unless told not."""

    def make(*places, begin=True):
        project = _copy(begun_project if begin else empty_project, tmp_path)
        for place in places:
            assert guide.files[place], place
            for name, text in guide.files[place].items():
                project.write(name, text)
        return project

    return make
