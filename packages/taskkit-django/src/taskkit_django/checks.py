"""System checks: what is wrong with the settings, told before it hurts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks

from taskkit.errors import InvalidSetting
from taskkit_django.settings import KEYS, NAME, read_settings


def register() -> None:
    """Have ``manage.py check`` run these."""
    checks.register(check_settings, "taskkit")


def check_settings(**_options: Any) -> Sequence[checks.CheckMessage]:
    """Return what is wrong with ``TASKKIT``."""
    try:
        read_settings()
    except InvalidSetting as error:
        hint = f"{NAME} takes {', '.join(KEYS)}."
        return [checks.Error(str(error), hint=hint, id="taskkit.E001")]
    return []
