"""The pytest plugin: options, and where checks are collected; inert where there are none.

Loaded in every pytest run of whoever has the suite installed, so it imports nothing heavy: what
runs checks is in ``collecting``, imported when there is something to run.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any, Final

import pytest

from taskkit_conformance.reporting import Reporting

PACKAGE: Final = Path(__file__).parent

# Each is an option --taskkit-NAME and an environment variable TASKKIT_NAME.
_OPTIONS: Final = {
    "backend": "the backend to test: a name of the entry points taskkit.backends",
    "url": "where its store is; {namespace} in it stands for a new name. It has to be empty",
    "profile": "quick (about a minute, the default), standard (ten minutes) or thorough",
    "seed": "what is generated depends on this number alone: to repeat a run",
    "lanes": "some of model,interleave,race,chaos",
    "expected": "known failures (default: conformance.toml, where there is one)",
    "report": "write report.json, matrix.md, badge.json and raw histories into this folder",
}
_REPEATABLE: Final = {
    "property": "a number such as LEA-05, or a group such as LEA; may be repeated",
    "option": "KEY=VALUE, passed to the backend's plugin; may be repeated",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("taskkit", "conformance of taskkit backends")
    for name, text in _OPTIONS.items():
        group.addoption(f"--taskkit-{name}", metavar=name.upper(), help=text)
    for name, text in _REPEATABLE.items():
        group.addoption(f"--taskkit-{name}", action="append", metavar=name.upper(), help=text)
    group.addoption(
        "--taskkit-clear", action="store_true", help="the store may be cleared if it is not empty"
    )


def option(config: pytest.Config, name: str) -> Any:
    """Return what was said of an option, on the command line or in the environment."""
    given = config.getoption(f"taskkit_{name}", None)
    return given or os.environ.get(f"TASKKIT_{name.upper()}") or None


def pytest_configure(config: pytest.Config) -> None:
    """Have the outcomes collected, in the process that a person looks at."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reporting(config), "taskkit-conformance-reporting")


@pytest.hookimpl(tryfirst=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take this package's folder for the suite: ``pytest --pyargs taskkit_conformance``."""
    if file_path != PACKAGE / "__init__.py":
        return None
    asked = any(PACKAGE.name in str(argument) for argument in parent.config.args)
    if not asked and not option(parent.config, "backend"):
        return None  # a run of all that lies in some folder, which happens to hold this package
    from taskkit_conformance.collecting import SuiteFile

    return SuiteFile.from_parent(parent, path=file_path, nodeid=PACKAGE.name)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(
    collector: pytest.Collector, name: str, obj: object
) -> pytest.Collector | None:
    """Take the classes that ``conformance`` makes, whatever they are called."""
    chosen = getattr(obj, "__taskkit_conformance__", None) if isinstance(obj, type) else None
    if chosen is None:
        return None
    from taskkit_conformance.collecting import SuiteClass

    return SuiteClass.from_parent(collector, name=name, chosen=chosen)


_SEED: Final = pytest.StashKey[int]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give all worker processes of pytest-xdist the same random seed."""
    node.workerinput["taskkit_seed"] = node.config.stash.setdefault(_SEED, secrets.randbelow(2**32))
