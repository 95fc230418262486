"""The proof: a suite that anyone can run against any taskkit backend.

.. code-block:: python

    # tests/test_conformance.py of a backend's own repository
    from taskkit_conformance import conformance

    TestMyStore = conformance("mystore", url="mystore://localhost/15")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# pytest imports this package in every run of whoever has it installed: nothing heavy here.


@dataclass(frozen=True, slots=True)
class Conformance:
    """What a test class made by ``conformance`` is to run."""

    backend: str
    url: str | Callable[[], str] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    clear: bool = False


def conformance(
    backend: str,
    *,
    url: str | Callable[[], str] | None = None,
    clear: bool = False,
    **options: Any,
) -> type:
    """Return a test class that holds every check of the suite, those that are still to come too.

    Give it to a name in a test module; pytest's own rules for names of classes do not matter.

    Args:
        backend: The name of an entry point of ``taskkit.backends``.
        url: Where an empty store is; or what tells it, called when the first check runs.
            ``--taskkit-url`` overrides it when ``--taskkit-backend`` names this backend.
        clear: Whether the store may be cleared if it is not empty.
        options: Passed to the backend's plugin.
    """
    chosen = Conformance(backend, url, options, clear)
    return type(f"Conformance of {backend}", (), {"__taskkit_conformance__": chosen})


__all__ = ["Conformance", "conformance"]
