"""Small texts that several pages show."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil

from taskkit.clock import to_datetime
from taskkit_django.handler import FAMILIES


def moment(when: datetime | None) -> SafeString | str:
    """Return a moment and how far from now it is."""
    if when is None:
        return "–"
    now = timezone.now() if timezone.is_aware(when) else timezone.make_naive(timezone.now())
    if abs(when - now) < timedelta(minutes=1):
        far = "just now" if when <= now else "in less than a minute"
    elif when <= now:
        far = f"{timesince(when, now, depth=1)} ago"
    else:
        far = f"in {timeuntil(when, now, depth=1)}"
    local = timezone.localtime(when) if timezone.is_aware(when) else when
    exact = f"{date_format(local, 'Y-m-d H:i:s')}"
    return format_html('<time title="{}" datetime="{}">{}</time>', exact, when.isoformat(), far)


def exact(when: datetime | int | None) -> str:
    """Return a moment to the millisecond, in the zone that people see."""
    if when is None:
        return "–"
    found = to_datetime(when) if isinstance(when, int) else when
    local = timezone.localtime(found) if timezone.is_aware(found) else found
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d}"


def lasting(began: Any, ended: Any) -> str:
    """Return how long something took."""
    if began is None or ended is None:
        return "–"
    span = ended - began
    seconds = span.total_seconds() if isinstance(span, timedelta) else span / 1e6
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def bare_name(name: str) -> str:
    """Return a task's name without what tells which API it is of."""
    for prefix in FAMILIES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name
