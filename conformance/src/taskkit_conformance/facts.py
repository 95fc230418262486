"""What a run was of: versions, backend, capabilities. Part of each report."""

from __future__ import annotations

import platform
import re
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from taskkit.records import Capabilities
from taskkit.stores import backends

if TYPE_CHECKING:
    from taskkit_conformance.bench import Bench, Target


@dataclass(frozen=True, slots=True)
class Facts:
    """What was tested, with what."""

    name: str
    """The backend's name, as it was asked for."""
    url: str | None
    """Where the store is, without a password."""
    distribution: str
    """The package that the backend comes from, and its version."""
    capabilities: dict[str, Any]
    wipe_ms: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    """Of suite, core, hypothesis and Python."""

    @classmethod
    def of(cls, target: Target, bench: Bench) -> Facts:
        """Return the facts of an opened bench."""
        return cls(
            name=target.backend,
            url=redacted(bench.place.url),
            distribution=_distribution(target.backend),
            capabilities=asdict(bench.capabilities),
            wipe_ms=round(bench.wipe_seconds * 1000, 3),
            versions=versions(),
        )

    def as_data(self) -> dict[str, Any]:
        """Return it as what JSON knows."""
        return asdict(self)

    def declared(self) -> str:
        """Return the capabilities in words, those that are switched off too."""
        usual = {each.name: each.default for each in fields(Capabilities)}
        switches = [key for key, value in self.capabilities.items() if isinstance(value, bool)]
        on = [key for key in switches if self.capabilities[key]]
        off = [key for key in switches if not self.capabilities[key]]
        other = [
            f"{key} {value}"
            for key, value in self.capabilities.items()
            if key not in (*switches, "name", "within") and value != usual.get(key)
        ]
        told = [", ".join(on) or "none", *other]
        return "; ".join(told) + (f"; not {', '.join(off)}" if off else "")


@cache
def suite_version() -> str:
    """Return the version of this suite."""
    return _version("taskkit-conformance")


def versions() -> dict[str, str]:
    """Return the versions that a result depends on, beside the backend's."""
    return {
        "taskkit-conformance": suite_version(),
        "taskkit-core": _version("taskkit-core"),
        "hypothesis": _version("hypothesis"),
        "python": platform.python_version(),
    }


def redacted(url: str | None) -> str | None:
    """Return a URL without its password."""
    return None if url is None else re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", url)


def _distribution(backend: str) -> str:
    plugin = next(
        (each for each in backends().values() if backend in (each.name, *each.schemes)), None
    )
    return f"{plugin.distribution} {plugin.version}".strip() if plugin else ""


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
