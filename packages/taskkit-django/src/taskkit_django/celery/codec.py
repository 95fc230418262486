"""Values as plain JSON and back, with the types that Python programs pass and JSON has no word for.

A value of such a type is written as an object with two members: ``"$"`` says which type, ``"v"``
holds the value. Nothing but the types of this table can ever come out of stored text.
"""

from __future__ import annotations

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from taskkit.errors import InvalidData, InvalidTask

_TYPE: Final = "$"
_VALUE: Final = "v"
_ZONE: Final = "zone"
_MOST: Final = 1 << 53
"""Whole numbers beyond it are text, because some readers of JSON round them."""

_Dump: TypeAlias = Callable[[Any], Any]


def dumps(value: Any) -> Any:
    """Return a value as plain JSON data.

    Raises:
        InvalidTask: it, or something in it, is of a type that cannot come back as it was.
    """
    try:
        return _dump(value)
    except RecursionError:
        raise InvalidTask("expected arguments that do not contain themselves") from None


def loads(plain: Any) -> Any:
    """Return the value of which this is the plain JSON data.

    Raises:
        InvalidData: it is none that ``dumps`` returns.
    """
    if isinstance(plain, list):
        return [loads(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if _TYPE not in plain:
        return {key: loads(item) for key, item in plain.items()}
    kind = plain[_TYPE]
    load = _LOADS.get(kind) if isinstance(kind, str) else None
    if load is None:
        raise InvalidData(
            f"expected a value of one of {', '.join(sorted(_LOADS))}, found {kind!r}; "
            "a newer version may have written it"
        )
    try:
        return load(plain)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, OSError) as error:
        raise InvalidData(f"expected a {kind}, found {str(plain)[:200]}: {error}") from error


# ---- from Python


def _dump(value: Any) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, Enum):
        return _dump_enum(value)
    for kind, dump in _DUMPS:
        if isinstance(value, kind):
            return dump(value)
    if type(value).__module__ == "django.utils.functional":  # a text that is translated late
        return str(value)
    raise _refused(value)


def _refused(value: object) -> InvalidTask:
    kind = type(value)
    hint = "pass what it is made of"
    if hasattr(kind, "_meta") and hasattr(value, "pk"):
        hint = "pass its primary key and read it in the task"
    return InvalidTask(
        f"{kind.__module__}.{kind.__qualname__} cannot be an argument of a task: expected JSON "
        "types, datetimes, dates, times, timedeltas, Decimals, UUIDs, tuples, sets and bytes, "
        f"found {value!r:.100}; {hint}"
    )


def _dump_enum(value: Enum) -> Any:
    # Members that are text or numbers, as those of Django's choices, are sent as what they are.
    if isinstance(value, str | int | float):
        return _dump(value.value)
    raise _refused(value)


def _dump_int(value: int) -> Any:
    return int(value) if -_MOST <= value <= _MOST else _tagged("int", str(int(value)))


def _dump_float(value: float) -> Any:
    return float(value) if math.isfinite(value) else _tagged("float", repr(float(value)))


def _dump_datetime(value: datetime) -> Any:
    tagged = _tagged("datetime", value.isoformat())
    zone = getattr(value.tzinfo, "key", None)
    if zone is not None:
        tagged[_ZONE] = zone
    return tagged


def _dump_timedelta(value: timedelta) -> Any:
    return _tagged("timedelta", [value.days, value.seconds, value.microseconds])


def _dump_dict(value: Mapping[Any, Any]) -> Any:
    if _TYPE not in value and all(type(key) is str for key in value):
        return {key: _dump(item) for key, item in value.items()}
    return _tagged("dict", [[_dump(key), _dump(item)] for key, item in value.items()])


def _dump_set(name: str) -> _Dump:
    def dump(value: set[Any]) -> Any:
        # In an order of its own, so that equal sets are equal text and make equal keys.
        items = [_dump(item) for item in value]
        return _tagged(name, sorted(items, key=lambda item: json.dumps(item, sort_keys=True)))

    return dump


def _tagged(kind: str, value: Any) -> dict[str, Any]:
    return {_TYPE: kind, _VALUE: value}


# The first that fits: a datetime is a date too, and a bool (told apart above) an int.
_DUMPS: Final[tuple[tuple[type[Any], _Dump], ...]] = (
    (str, str.__str__),  # not str(): Django's SafeString says that it is itself
    (int, _dump_int),
    (float, _dump_float),
    (list, lambda value: [_dump(item) for item in value]),
    (dict, _dump_dict),
    (tuple, lambda value: _tagged("tuple", [_dump(item) for item in value])),
    (datetime, _dump_datetime),
    (date, lambda value: _tagged("date", value.isoformat())),
    (time, lambda value: _tagged("time", value.isoformat())),
    (timedelta, _dump_timedelta),
    (Decimal, lambda value: _tagged("decimal", str(value))),
    (UUID, lambda value: _tagged("uuid", value.hex)),
    (bytes, lambda value: _tagged("bytes", b64encode(value).decode())),
    (bytearray, lambda value: _tagged("bytearray", b64encode(value).decode())),
    (memoryview, lambda value: _tagged("bytes", b64encode(value).decode())),
    (frozenset, _dump_set("frozenset")),
    (set, _dump_set("set")),
)


# ---- to Python


def _load_datetime(plain: dict[str, Any]) -> datetime:
    moment = datetime.fromisoformat(plain[_VALUE])
    if _ZONE not in plain:
        return moment
    # By way of UTC: of an hour that comes twice, the text's offset says which it is.
    return moment.astimezone(UTC).astimezone(ZoneInfo(plain[_ZONE]))


def _load_timedelta(plain: dict[str, Any]) -> timedelta:
    days, seconds, microseconds = plain[_VALUE]
    return timedelta(days, seconds, microseconds)


def _items(plain: dict[str, Any]) -> list[Any]:
    return [loads(item) for item in plain[_VALUE]]


_LOADS: Final[Mapping[str, Callable[[dict[str, Any]], Any]]] = {
    "bytearray": lambda plain: bytearray(b64decode(plain[_VALUE], validate=True)),
    "bytes": lambda plain: b64decode(plain[_VALUE], validate=True),
    "date": lambda plain: date.fromisoformat(plain[_VALUE]),
    "datetime": _load_datetime,
    "decimal": lambda plain: Decimal(plain[_VALUE]),
    "dict": lambda plain: {loads(key): loads(item) for key, item in plain[_VALUE]},
    "float": lambda plain: float(plain[_VALUE]),
    "frozenset": lambda plain: frozenset(_items(plain)),
    "int": lambda plain: int(plain[_VALUE]),
    "set": lambda plain: set(_items(plain)),
    "time": lambda plain: time.fromisoformat(plain[_VALUE]),
    "timedelta": _load_timedelta,
    "tuple": lambda plain: tuple(_items(plain)),
    "uuid": lambda plain: UUID(plain[_VALUE]),
}
