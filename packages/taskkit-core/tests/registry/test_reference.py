"""Other processes find a registry, and its tasks, by module and name."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest

import taskkit
from taskkit.errors import InvalidSetting
from taskkit.registry import TaskRegistry

SOURCE = str(Path(taskkit.__file__).parent.parent)

local = TaskRegistry()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Write modules; return a function that imports one of them."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(**modules):
        for name, text in modules.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(dedent(text))
        return import_module

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def run(tmp_path, *arguments, given=b""):
    path = os.pathsep.join([SOURCE, *sys.path])
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        input=given,
        capture_output=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().split()


SHOW = "import pickle, sys; print(*sorted(pickle.loads(sys.stdin.buffer.read())))"

MAIL = """
    from taskkit import TaskRegistry
    tasks = TaskRegistry()

    @tasks.task
    def send(): ...
"""
APP = """
    import mail_tasks
    from taskkit import TaskRegistry
    everything = TaskRegistry()
    everything.include(mail_tasks.tasks)
"""


def test_a_registry_is_itself_again_in_the_same_process(project):
    mail = project(mail_tasks=MAIL)("mail_tasks")
    assert pickle.loads(pickle.dumps(mail.tasks)) is mail.tasks
    assert pickle.loads(pickle.dumps(mail.send)) is mail.send


def test_another_process_imports_what_defines_the_tasks(project, tmp_path):
    project(
        mail_tasks=MAIL,
        other_tasks="""
            from mail_tasks import tasks

            @tasks.task(name="other")
            def function(): ...
        """,
    )("other_tasks")
    data = pickle.dumps(import_module("mail_tasks").tasks)
    assert run(tmp_path, "-c", SHOW, given=data) == ["mail_tasks.send", "other"]


def test_a_registry_of_included_ones_is_found_as_well(project, tmp_path):
    app = project(mail_tasks=MAIL, app=APP)("app")
    data = pickle.dumps(app.everything)
    assert run(tmp_path, "-c", SHOW, given=data) == ["mail_tasks.send"]


def test_a_registry_without_a_name_of_its_own_is_found_by_its_functions(project, tmp_path):
    module = project(
        mail_tasks="""
            from taskkit import TaskRegistry

            class App:
                def __init__(self): self.tasks = TaskRegistry()

            app = App()

            @app.tasks.task
            def send(): ...
        """
    )("mail_tasks")
    data = pickle.dumps(module.app.tasks)
    assert run(tmp_path, "-c", SHOW, given=data) == ["mail_tasks.send"]


PROGRAM = """
    import multiprocessing, sys
    from taskkit import TaskRegistry

    tasks = TaskRegistry()

    @tasks.task
    def send(): return "sent"

    def child(registry):
        assert registry is tasks
        print(*registry, registry["program.send"]())

    if __name__ == "__main__":
        print(send.name, flush=True)
        process = multiprocessing.get_context(sys.argv[1]).Process(target=child, args=(tasks,))
        process.start()
        process.join()
        sys.exit(process.exitcode)
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("how", [["program.py"], ["-m", "program"]])
def test_the_program_itself_may_define_tasks_named_by_its_file(project, tmp_path, how, method):
    module = project(program=PROGRAM)("program")
    assert module.send.name == "program.send"
    expected = ["program.send", "program.send", "sent"]
    assert run(tmp_path, *how, method) == expected


def test_a_session_without_a_file_names_its_tasks_main(tmp_path):
    code = dedent(MAIL) + "print(send.name)"
    assert run(tmp_path, "-c", code) == ["__main__.send"]


def test_an_empty_registry_cannot_go_to_another_process():
    with pytest.raises(InvalidSetting, match="no tasks"):
        pickle.dumps(local)


def test_functions_inside_functions_cannot_go_to_another_process():
    tasks = TaskRegistry()

    @tasks.task(name="inner")
    def function(): ...

    with pytest.raises(InvalidSetting, match=r"tasks inner, which are defined inside functions"):
        pickle.dumps(tasks)


def test_a_registry_that_nothing_leads_to_cannot_go_to_another_process(project):
    mail = project(mail_tasks=MAIL)("mail_tasks")
    nowhere = TaskRegistry()
    nowhere.include(mail.tasks)
    with pytest.raises(InvalidSetting, match="assign it to a variable at module level"):
        pickle.dumps(nowhere)


def test_tasks_that_no_import_defines_are_missed_at_once(project, tmp_path):
    app = project(
        mail_tasks=MAIL,
        app="""
            import mail_tasks

            def configure(): mail_tasks.tasks.task(name="late")(helper)

            def helper(): ...
        """,
    )("app")
    app.configure()
    data = pickle.dumps(app.mail_tasks.tasks)
    code = f"import pickle\ntry: pickle.loads({data!r})\nexcept Exception as e: print(repr(e))"
    said = " ".join(run(tmp_path, "-c", code))
    assert said.startswith("InvalidSetting")
    assert "lacks the tasks late" in said
