"""State that steers workers: pauses, stops, limits.

It is kept whole in every partition, so that a claim looks at it in its one step, and read from one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from taskkit.clock import micros, seconds
from taskkit.errors import Unsupported
from taskkit.records import ALL_GROUPS, Control, Limits, Rate
from taskkit.task import Instant
from taskkit_redis import codec
from taskkit_redis.store import Store

_READ_FROM: Final = 0


def pause(store: Store, groups: Collection[str] | None, until: Instant | None) -> None:
    """Stop claims in these groups (None: in all)."""
    names = [ALL_GROUPS] if groups is None else list(groups)
    if not names:
        return
    # The delay counts from the clock of the first; the others get the instant.
    end = store.call("pause", _READ_FROM, "" if until is None else codec.instant(until), *names)
    _all_but_first(store, "pause", end, *names)


def resume(store: Store, groups: Collection[str] | None) -> None:
    """Lift the pauses of exactly these groups (None: every pause)."""
    arguments: list[str | int] = [int(groups is None), *(groups or ())]
    store.call("resume", _READ_FROM, *arguments)
    _all_but_first(store, "resume", *arguments)


def stop(store: Store, groups: Collection[str] | None) -> None:
    """Tell the workers that are registered now to stop serving these groups (None: all)."""
    names = [ALL_GROUPS] if groups is None else list(groups)
    if names:
        store.call("stop", _READ_FROM, "\n".join(names))
        _all_but_first(store, "stop", "\n".join(names))


def configure(store: Store, group: str, limits: Limits) -> None:
    """Set the limits of one group.

    Raises:
        Unsupported: the group is spread over several shards, and limits are counted in one place.
    """
    if len(store.of_group(group)) > 1 and limits != Limits():
        raise Unsupported(
            f"limits of {group!r}: expected a group in one piece, found one with "
            f"{len(store.of_group(group))} shards; a limit is counted in one place"
        )
    rate = ("", "") if limits.rate is None else (limits.rate.limit, micros(limits.rate.period))
    parts = (limits.max_running, *rate, limits.max_queue_size)
    text = "|".join("" if part is None else str(part) for part in parts)
    store.call("configure", _READ_FROM, group, text)
    _all_but_first(store, "configure", group, text)


def _all_but_first(store: Store, script: str, *arguments: str | bytes | int) -> None:
    numbers = (number for number in range(store.count) if number != _READ_FROM)
    store.call_all(script, dict.fromkeys(numbers, arguments))


def control(store: Store) -> Control:
    """Return what is paused and limited now."""
    now, pauses, limits = store.call("control", _READ_FROM)
    ends = dict(zip(pauses[0::2], pauses[1::2], strict=True))
    return Control(
        {
            name.decode(): int(end) if end else None
            for name, end in ends.items()
            if not end or end > now
        },
        {
            group.decode(): _read_limits(text.decode())
            for group, text in zip(limits[0::2], limits[1::2], strict=True)
        },
    )


def _read_limits(text: str) -> Limits:
    running, limit, period, size = text.split("|")
    return Limits(
        max_running=int(running) if running else None,
        rate=Rate(int(limit), seconds(int(period))) if limit else None,
        max_queue_size=int(size) if size else None,
    )
