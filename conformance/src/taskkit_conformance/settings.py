"""What a person asked for, from options and environment."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskkit_conformance import expected
from taskkit_conformance.bench import SetUpWrong, Target, options_of
from taskkit_conformance.check import LANES, Check, Lane
from taskkit_conformance.expected import Expectations, InvalidExpectation
from taskkit_conformance.profiles import PROFILES, Profile
from taskkit_conformance.properties import select


@dataclass(frozen=True, slots=True)
class Settings:
    """A run, as it was asked for."""

    profile: Profile
    seed: int
    numbers: frozenset[str]
    """Of the properties that were chosen."""
    lanes: tuple[Lane, ...]
    whole: bool
    """Whether nothing was left out."""
    expected: Expectations
    report: Path | None
    backend: str | None
    url: str | None
    options: tuple[tuple[str, Any], ...]
    clear: bool

    @classmethod
    def read(
        cls, option: Callable[[str], Any], folder: Path, shared_seed: int | None = None
    ) -> Settings:
        """Return the settings.

        Args:
            option: Gives what was said of a name, or None.
            folder: Where ``conformance.toml`` is looked for.
            shared_seed: Used where a seed is drawn, so that several processes have the same.

        Raises:
            SetUpWrong: something that was asked for does not exist.
        """
        profile = _one_of("profile", option("profile") or "quick", PROFILES)
        wanted = _list(option("property"))
        lanes = tuple(
            _one_of("lane", lane, {each: each for each in LANES}) for lane in _list(option("lanes"))
        )
        report = option("report")
        return cls(
            profile=profile,
            seed=_seed(option("seed"), profile, shared_seed),
            numbers=_numbers(wanted),
            lanes=lanes or LANES,
            whole=not wanted and not lanes,
            expected=_expectations(option("expected"), folder),
            report=Path(report) if report else None,
            backend=option("backend"),
            url=option("url"),
            options=_options(_list(option("option"), separator=None)),
            clear=bool(option("clear")),
        )

    def chosen(self, checks: Sequence[Check]) -> list[Check]:
        """Return the checks that were asked for."""
        return [each for each in checks if each.number in self.numbers and each.lane in self.lanes]

    def target(self) -> Target:
        """Return the target that the options name.

        Raises:
            SetUpWrong: they name none.
        """
        if not self.backend:
            raise SetUpWrong(
                "expected --taskkit-backend=NAME (or TASKKIT_BACKEND), found none; "
                "for example: pytest --pyargs taskkit_conformance --taskkit-backend=memory"
            )
        return Target(self.backend, self.url, self.options, self.clear)


def _one_of(what: str, name: str, known: Any) -> Any:
    if name not in known:
        raise SetUpWrong(f"expected a {what} of {', '.join(known)}, found {name!r}")
    return known[name]


def _list(value: Any, separator: str | None = ",") -> list[str]:
    given: list[str] = [value] if isinstance(value, str) else list(value or ())
    if separator is None:
        return given
    return [part.strip() for each in given for part in each.split(separator) if part.strip()]


def _seed(value: Any, profile: Profile, shared: int | None) -> int:
    if value in (None, ""):
        drawn = secrets.randbelow(2**32) if shared is None else shared
        return 0 if profile.fixed_seed else drawn
    try:
        return int(value)
    except ValueError as error:
        raise SetUpWrong(f"expected a whole number as seed, found {value!r}") from error


def _numbers(wanted: list[str]) -> frozenset[str]:
    try:
        return frozenset(each.id for each in select(wanted))
    except KeyError as error:
        raise SetUpWrong(error.args[0]) from error


def _expectations(file: Any, folder: Path) -> Expectations:
    path = Path(file) if file else folder / expected.FILE
    if not file and not path.exists():
        return {}
    try:
        return expected.read(path)
    except InvalidExpectation as error:
        raise SetUpWrong(str(error)) from error


def _options(pairs: list[str]) -> tuple[tuple[str, Any], ...]:
    options: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise SetUpWrong(f"expected an option as key=value, found {pair!r}")
        try:
            options[key] = json.loads(value)  # numbers, true, false, null
        except ValueError:
            options[key] = value
    return options_of(options)
