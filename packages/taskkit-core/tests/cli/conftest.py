from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest

from taskkit import Kit, connect
from taskkit.cli.main import main


class Echo:
    """A handler whose data is JSON; it is never asked to handle anything."""

    def handle(self, task):
        raise AssertionError

    def get_retry_interval(self, task, exception):
        return None

    def encode_data(self, group, task_name, data):
        return json.dumps(data).encode()

    def encode_result(self, task, result):
        return json.dumps(result).encode()

    def decode_result(self, task, encoded):
        return json.loads(encoded)


@pytest.fixture
def kit(monkeypatch):
    """A kit on the memory backend that commands reach as ``shop:kit``."""
    module = ModuleType("shop")
    module.kit = Kit(connect("memory"), Echo())
    # A command closes the store that it opened, which would end a store in memory.
    monkeypatch.setattr(module.kit.backend, "close", lambda: None)
    monkeypatch.setitem(sys.modules, "shop", module)
    monkeypatch.setenv("TASKKIT_APP", "shop:kit")
    monkeypatch.delenv("TASKKIT_URL", raising=False)
    return module.kit


@pytest.fixture
def run(capsys):
    """Runs a command line; returns exit code, output and error output."""

    def run(*arguments):
        try:
            code = main(arguments)
        except SystemExit as ended:  # argparse, for what it cannot parse
            code = ended.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def run_json(run):
    """Runs a command line that must succeed and print JSON; returns the document."""

    def run_json(*arguments):
        code, out, err = run(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return run_json
