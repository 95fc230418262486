"""The plugin that ``taskkit.connect("django", using="default")`` finds, and ``django://default``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ImproperlyConfigured

from taskkit.errors import InvalidSetting
from taskkit.plugins import hookimpl

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.clock import Clock

_OPTIONS: Final = ("using", "prefix", "notify")


@hookimpl
def taskkit_open(url: str | None, options: Mapping[str, Any], clock: Clock | None) -> Backend:
    """Return a backend on a database of the Django project that is set up here."""
    from taskkit_django.backend.opening import open_backend

    options = dict(options)
    for option in options:
        if option not in _OPTIONS:
            raise InvalidSetting(f"option: expected one of {', '.join(_OPTIONS)}, found {option!r}")
    if url is not None:
        scheme, separator, alias = url.partition("://")
        if scheme != "django" or not separator or not alias.isidentifier():
            raise InvalidSetting(
                "url: expected django:// and an alias of DATABASES, such as django://default, "
                "found something else"
            )
        options.setdefault("using", alias)
    try:
        return open_backend(clock=clock, **options)
    except ImproperlyConfigured as error:
        raise InvalidSetting(
            "expected the settings of a Django project, such as by the environment variable "
            f"DJANGO_SETTINGS_MODULE, found: {error}"
        ) from error


@hookimpl
def taskkit_harness(default: Any) -> Any:
    """Return how the conformance suite is to handle this store."""
    from taskkit_django.backend.harness import DjangoHarness

    return DjangoHarness(default)
