"""The Python blocks of these pages are run, page by page, in a folder of their own.

Blocks that begin with a file's name belong to a program; ``tests/docs`` runs those.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.example import Example
from sybil.integration.pytest import SybilItem
from sybil.parsers.markdown import CodeBlockParser, SkipParser


def run_block(example: Example) -> None:
    source = example.parsed
    if not source.startswith("# ") or not source.partition("\n")[0].endswith(".py"):
        exec(compile(source, example.path, "exec", dont_inherit=True), example.namespace)


def enter_folder(namespace: dict[str, object]) -> None:
    folder = tempfile.TemporaryDirectory()
    namespace.update(__name__="page", _folder=folder, _before=Path.cwd())
    os.chdir(folder.name)


def leave_folder(namespace: dict[str, object]) -> None:
    os.chdir(str(namespace["_before"]))
    namespace["_folder"].cleanup()  # type: ignore[attr-defined]  # enter_folder put it there


pytest_collect_file = Sybil(
    parsers=[CodeBlockParser(language="python", evaluator=run_block), SkipParser()],
    patterns=["*.md"],
    setup=enter_folder,
    teardown=leave_folder,
).pytest()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Other tests run in random order; a page is read from top to bottom.
    places = [index for index, item in enumerate(items) if isinstance(item, SybilItem)]
    blocks = sorted((items[i] for i in places), key=lambda item: (item.path, item.example.line))
    for index, block in zip(places, blocks, strict=True):
        items[index] = block
