"""Columns of taskkit's tables as Python sees them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from django.conf import settings
from django.db import models
from django.utils import timezone

from taskkit.clock import micros, to_datetime

if TYPE_CHECKING:  # generic only to type checkers
    _Chars: TypeAlias = models.CharField[Any, Any]
    _Text: TypeAlias = models.TextField[Any, Any]
    _Binary: TypeAlias = models.BinaryField[Any, Any]
    _Big: TypeAlias = models.BigIntegerField[Any, Any]
else:
    _Chars, _Text = models.CharField, models.TextField
    _Binary, _Big = models.BinaryField, models.BigIntegerField

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TextColumn(_Chars):
    """A name or an id: compared byte by byte, and so kept as bytes by MySQL and MariaDB."""

    def from_db_value(self, value: Any, _expression: object, _connection: object) -> str | None:
        """Return text."""
        return value.decode() if isinstance(value, bytes) else value


class JsonColumn(_Text):
    """JSON as text. What cannot be read is shown as it is."""

    def from_db_value(self, value: Any, _expression: object, _connection: object) -> Any:
        """Return what the text says."""
        text = value.decode() if isinstance(value, bytes) else value
        try:
            return None if text is None else json.loads(text)
        except ValueError:
            return text

    def get_prep_value(self, value: Any) -> Any:
        """Return text."""
        return value if value is None or isinstance(value, str) else json.dumps(value)


class BytesColumn(_Binary):
    """Bytes."""

    def from_db_value(self, value: Any, _expression: object, _connection: object) -> bytes | None:
        """Return bytes, where a driver gives a view of them."""
        return None if value is None else bytes(value)


class InstantColumn(_Big):
    """An instant: microseconds since the epoch in the table, a datetime in Python."""

    def from_db_value(
        self, value: Any, _expression: object, _connection: object
    ) -> datetime | None:
        """Return an aware datetime, or a naive one in the project's zone without ``USE_TZ``."""
        if value is None:
            return None
        moment = to_datetime(value)
        return moment if settings.USE_TZ else timezone.make_naive(moment)

    def get_prep_value(self, value: Any) -> Any:
        """Return microseconds of a datetime; a naive one is in the project's zone."""
        value = self.to_python(value)
        if not isinstance(value, datetime):
            return super().get_prep_value(value)
        return micros((timezone.make_aware(value) if timezone.is_naive(value) else value) - _EPOCH)

    def to_python(self, value: Any) -> Any:
        """Return a datetime of text."""
        return datetime.fromisoformat(value) if isinstance(value, str) else value
