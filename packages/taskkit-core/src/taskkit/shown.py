"""What was found, as the messages of errors show it."""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 200


def shown(found: object) -> str:
    """Return the representation of anything, cut where a message would drown in it."""
    try:
        text = repr(found)
    except ValueError:  # Python writes no int of more than some thousand digits
        return f"an unprintable {type(found).__name__}"
    return text if len(text) < _LONGEST else text[:_LONGEST] + "…"
