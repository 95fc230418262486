"""``docs/architecture.md`` names files and words that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from taskkit import backend

ROOT = Path(__file__).parents[2]
CORE = ROOT / "packages/taskkit-core/src/taskkit"
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def test_named_files_exist():
    named = set(re.findall(r"`([\w/]+\.(?:py|toml))`", PAGE))
    assert len(named) > 20
    missing = {name for name in named if not (CORE / name).exists() and not (ROOT / name).exists()}
    assert missing == {"connect.py"}, "named as what it is not called"


def test_protocols_are_as_many_and_as_small_as_told():
    union = [base for base in backend.Backend.__mro__ if base is not backend.Backend]
    parts = [base for base in union if base.__module__ == backend.__name__]
    sentence = PAGE.partition("is the union of ")[2].partition("(`backend.py`)")[0]
    assert re.findall(r"`(\w+)`", sentence) == [part.__name__ for part in parts]
    assert len(parts) == 7
    for part in parts:
        assert Protocol in part.__mro__
        assert 1 <= len([name for name in vars(part) if not name.startswith("_")]) <= 8


def test_walk_is_short():
    walk = PAGE.partition("## One task's walk")[2].partition("\n## ")[0]
    assert 0 < len(re.findall(r"^\d+\. ", walk, re.M)) < 10
