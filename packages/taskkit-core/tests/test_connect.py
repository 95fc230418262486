"""Finding plugins: only the named one is imported, a broken one harms nobody."""

from __future__ import annotations

import sys
import textwrap

import pytest

from taskkit import Kit, TaskRegistry, backends, connect, stores
from taskkit.errors import BrokenPlugin, InvalidSetting, TaskkitError, UnknownBackend
from taskkit.stores import connect_url


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution with entry points, as pip would leave it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(group: str, entries: dict[str, str], **modules: str):
        info = tmp_path / f"foreign_{len(list(tmp_path.iterdir()))}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.2\n")
        lines = "\n".join(f"{name} = {value}" for name, value in entries.items())
        (info / "entry_points.txt").write_text(f"[{group}]\n{lines}\n")
        for name, source in modules.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
            monkeypatch.delitem(sys.modules, name, raising=False)

    return install


OPENS = """
    from taskkit.plugins import hookimpl

    @hookimpl
    def taskkit_open(url, options, clock):
        return ("opened", url, dict(options), clock)
"""


def test_a_plugin_is_found_by_its_name_and_by_the_schemes_it_owns(install):
    install("taskkit.backends", {"mystore": "mystore", "mys": "mystore"}, mystore=OPENS)
    assert connect("mystore", url="x", size=3) == ("opened", "x", {"size": 3}, None)
    assert connect_url("mys://host/1")[1] == "mys://host/1"
    assert connect_url("mys+driver://host/1")[1] == "mys+driver://host/1"
    plugin = backends()["mystore"]
    assert (plugin.schemes, plugin.version) == (("mystore", "mys"), "1.2")


def test_listing_and_opening_imports_no_other_plugin(install):
    install("taskkit.backends", {"boom": "boom"}, boom="raise RuntimeError('on import')")
    assert "boom" in backends()
    connect("memory").close()
    assert "boom" not in sys.modules


def test_a_broken_plugin_is_named_when_it_is_asked_for(install):
    install("taskkit.backends", {"boom": "boom"}, boom="raise RuntimeError('on import')")
    with pytest.raises(BrokenPlugin, match=r"'boom'.*RuntimeError: on import"):
        connect("boom")


@pytest.mark.parametrize("source", ["", "from taskkit.plugins import hookimpl\nx = 1"])
def test_a_plugin_that_opens_nothing_is_named(install, source):
    install("taskkit.backends", {"empty": "empty"}, empty=source)
    with pytest.raises(BrokenPlugin, match="taskkit_open"):
        connect("empty")


def test_an_unknown_name_lists_what_is_installed_and_what_to_install(monkeypatch):
    alone = {"memory": stores.backend_entries()["memory"]}  # whatever else is installed here
    monkeypatch.setattr(stores, "backend_entries", lambda: alone)
    with pytest.raises(UnknownBackend, match=r"memory.*pip install taskkit-django"):
        connect("django")
    with pytest.raises(UnknownBackend, match="did you mean 'memory'"):
        connect("memroy")


def test_an_error_about_a_url_does_not_show_its_password():
    with pytest.raises(UnknownBackend) as caught:
        connect_url("nosuch://user:secret@host/0")
    assert "secret" not in str(caught.value)
    assert "nosuch" in str(caught.value)


@pytest.mark.parametrize("url", ["memory", "", "   ", "://"])
def test_what_is_not_a_url_is_refused(url, monkeypatch):
    monkeypatch.setenv("TASKKIT_URL", "nonsense")
    with pytest.raises(TaskkitError):
        connect_url(url)


@pytest.mark.parametrize("url", [5, b"redis://user:secret@host/0", ["sqlite://"]])
def test_a_url_is_text_and_what_else_was_given_is_not_shown(url):
    with pytest.raises(InvalidSetting, match=f"url: expected .*found a {type(url).__name__}") as e:
        Kit.connect(url, TaskRegistry())
    assert "secret" not in str(e.value)


@pytest.mark.parametrize("name", [5, None, ["sql"]])
def test_the_name_of_a_backend_is_text(name):
    with pytest.raises(InvalidSetting, match="backend: expected a name"):
        connect(name)


def test_a_scheme_may_be_in_capitals():
    assert connect_url("MEMORY://").capabilities().name == "memory"


def test_without_a_url_the_environment_decides(monkeypatch):
    monkeypatch.setenv("TASKKIT_URL", "memory://")
    assert connect_url().capabilities().name == "memory"


@pytest.mark.parametrize("handler", [None, object(), "module:handler"])
def test_a_kit_needs_a_handler(handler):
    with pytest.raises(InvalidSetting, match="handler"):
        Kit(connect("memory"), handler)
