"""``conformance.toml``: the failures that a backend's author knows of, each with its reason.

.. code-block:: toml

    [LEA-05]
    reason = "settles are not fenced yet"
    issue = "https://example.org/issues/7"
    expires = "2027.3"                   # optional: a version of the suite
    lanes = ["race"]                     # optional: where it fails; without it, anywhere
    suite = "2026.11.0"                  # the suite that wrote the witness
    witness = {model = "eJxjZA…"}        # optional: repeated in place of a search
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from taskkit_conformance.check import LANES, Lane
from taskkit_conformance.facts import suite_version
from taskkit_conformance.properties import property_of

FILE: Final = "conformance.toml"

_KEYS: Final = ("reason", "issue", "expires", "lanes", "suite", "witness")


class InvalidExpectation(ValueError):
    """The file cannot be used; says what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One property that is known to fail."""

    number: str
    reason: str
    issue: str
    expires: str = ""
    lanes: tuple[Lane, ...] = ()
    suite: str = ""
    witness: Mapping[str, str] = field(default_factory=dict)

    def concerns(self, lane: Lane) -> bool:
        """Return whether the property may fail in this lane."""
        return lane in (self.lanes or self.witness or LANES)

    def told(self) -> str:
        """Return why, in one line."""
        return f"{self.reason} ({self.issue})"


Expectations = Mapping[str, Expectation]


def read(path: Path) -> Expectations:
    """Return what is expected to fail, by the property's number.

    Raises:
        InvalidExpectation: an entry names no property, lacks its reason or issue, or has expired.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidExpectation(f"{path}: expected a file that can be read: {error}") from error
    except ValueError as error:
        raise InvalidExpectation(f"{path}: expected TOML: {error}") from error
    return {number.upper(): _entry(path, number, content) for number, content in data.items()}


def write_entry(number: str, lane: Lane, witness: str) -> str:
    """Return the lines that a person adds to the file to have this failure expected."""
    lines = [
        f"[{number}]",
        'reason = "…"',
        'issue = "https://…"',
        f'suite = "{suite_version()}"',
    ]
    if witness:
        lines.append(f'witness = {{{lane} = "{witness}"}}')
    else:
        lines.append(f'lanes = ["{lane}"]')
    return "\n".join(lines)


def _entry(path: Path, number: str, content: Any) -> Expectation:
    where = f"{path}: [{number}]"
    try:
        found = property_of(number)
    except KeyError as error:
        raise InvalidExpectation(f"{where}: {error.args[0]}") from error
    if found.withdrawn:
        raise InvalidExpectation(f"{where}: the property is withdrawn; remove the entry")
    if not isinstance(content, dict):
        raise InvalidExpectation(f"{where}: expected a table, found {content!r}")
    for key in content:
        if key not in _KEYS:
            raise InvalidExpectation(f"{where}: expected {', '.join(_KEYS)}, found {key!r}")
    for key in ("reason", "issue"):
        if not isinstance(content.get(key), str) or not content[key].strip():
            raise InvalidExpectation(f"{where}: expected a {key}, found {content.get(key)!r}")
    lanes = (*content.get("lanes", ()), *content.get("witness", {}))
    for lane in lanes:
        if lane not in LANES:
            raise InvalidExpectation(f"{where}: expected lanes of {LANES}, found {lane!r}")
    entry = Expectation(
        found.id,
        **{**content, "lanes": tuple(content.get("lanes", ()))},
    )
    _refuse_expired(where, entry)
    return entry


def _refuse_expired(where: str, entry: Expectation) -> None:
    if entry.expires and _ordered(suite_version()) >= _ordered(entry.expires):
        raise InvalidExpectation(
            f"{where}: it expired with version {entry.expires} of the suite, and this is "
            f"{suite_version()}; mend the backend, or give the entry more time"
        )


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
