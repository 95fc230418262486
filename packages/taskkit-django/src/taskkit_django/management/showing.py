"""How commands print: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import re
from argparse import ArgumentTypeError
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from django.core.management.base import OutputWrapper

_FEW: Final = 100
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def print_json(out: OutputWrapper, document: Any) -> None:
    """Print a document that consists of plain types."""
    out.write(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def print_table(out: OutputWrapper, headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows in aligned columns."""
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *texts, strict=True)]
    for row in (headers, *texts):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        out.write("  ".join(cells).rstrip())


def few(text: str) -> int:
    """Return a number from 0 to 100."""
    if not re.fullmatch(r"\d{1,3}", text) or int(text) > _FEW:
        raise ArgumentTypeError(f"expected a number from 0 to {_FEW}, found {text!r}")
    return int(text)


def age(text: str) -> timedelta:
    """Return a duration from ``14d``, ``12h``, ``30m`` or ``90s``."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None:
        raise ArgumentTypeError(f"expected an age such as 14d, 12h, 30m or 90s, found {text!r}")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
