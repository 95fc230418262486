"""Task ids: ``<group>_<32 hex digits of a UUIDv7>`` (RFC 9562, section 5.7).

They sort by time within a group and tell the group, which lets a store route by id alone.
"""

from __future__ import annotations

import os
import threading
from hashlib import sha256
from typing import Final

from taskkit.clock import SystemClock

_VERSION_7: Final = 0x7 << 76
_VARIANT: Final = 0b10 << 62
_lock = threading.Lock()
_clock = SystemClock()
_last = 0


def new_uuid7() -> int:
    """Return a UUIDv7 as an integer, larger than every one made before in this process.

    48 bits of milliseconds, then 12 bits of the millisecond's fraction (RFC 9562, method 3),
    then 62 random bits. Within one clock step, and when the clock steps back, the fraction is
    counted on, so ids of one process never go backwards.
    """
    global _last  # noqa: PLW0603 - one counter for the process is the point
    stamp = _clock.now()
    tick = (stamp // 1000) << 12 | (stamp % 1000) * 4096 // 1000
    with _lock:
        if tick <= _last:
            tick = _last + 1
        _last = tick
    random = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    return (tick >> 12) << 80 | _VERSION_7 | (tick & 0xFFF) << 64 | _VARIANT | random


def new_id(group: str) -> str:
    """Return a new id for a task of ``group``."""
    return f"{group}_{new_uuid7():032x}"


def stable_id(group: str, *parts: str) -> str:
    """Return the id that these parts always have: a tick put twice is one task (SCH-03).

    The digits are a hash, marked as UUIDv8 (RFC 9562, section 5.8), so that they can never equal
    an id made by ``new_id``.
    """
    # Lengths before the parts: ("a", "bc") and ("ab", "c") must not meet.
    digest = sha256("".join(f"{len(part)}:{part}" for part in (group, *parts)).encode()).digest()
    value = int.from_bytes(digest[:16], "big")
    value = value & ~(0xF << 76) | 0x8 << 76
    value = value & ~(0b11 << 62) | _VARIANT
    return f"{group}_{value:032x}"


def group_of(task_id: str) -> str:
    """Return the group that an id tells: everything before the last underscore."""
    return task_id.rpartition("_")[0]
