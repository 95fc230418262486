"""Tracebacks as people want to read them."""

from __future__ import annotations

import re
from typing import Final

_OURS: Final = re.compile(r'  File "[^"]*[/\\]taskkit(_django)?[/\\][^"]*", line .*\n(    .*\n)*')


def without_ours(traceback: str) -> str:
    """Return a traceback that begins where the project's own code does; as it is if nowhere."""
    head, separator, frames = traceback.partition("(most recent call last):\n")
    own = frames
    while (first := _OURS.match(own)) is not None:
        own = own[first.end() :]
    if not own.startswith("  File "):
        return traceback
    return f"{head}{separator}{own}"
