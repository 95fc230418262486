"""What people type into the search of a list of tasks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

HELP: Final = (
    "Part of a task's name, or its id. Also: group:mail · name:shop.tasks.send (exactly). "
    "Names are looked for in the next 20,000 tasks."
)

_ID: Final = re.compile(r".+_[0-9a-f]{32}")
_UUID: Final = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Search:
    """What was asked for."""

    id: str | None = None
    suffix: str | None = None
    """The last part of an id: what the Celery-style API calls one."""
    group: str | None = None
    name: str | None = None
    text: str = ""


def parse(term: str) -> Search:
    """Return what somebody asked for; what is not understood is part of a name."""
    found: dict[str, str] = {}
    for word in term.split():
        kind, colon, rest = word.partition(":")
        if colon and rest and kind in ("group", "name", "id"):
            found[kind] = rest
        elif _ID.fullmatch(word):
            found["id"] = word
        elif _UUID.fullmatch(word):
            found["suffix"] = word.replace("-", "").lower()
        else:
            found["text"] = word
    return Search(**found)
