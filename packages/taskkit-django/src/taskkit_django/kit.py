"""The project's kit, and kits with handlers of one's own."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import django
from django.apps import apps
from django.utils.module_loading import autodiscover_modules, import_string
from django.utils.timezone import get_default_timezone

from taskkit import Kit
from taskkit.errors import InvalidSetting
from taskkit_django.recurring import declared
from taskkit_django.settings import NAME, Settings, read_settings

if TYPE_CHECKING:
    from taskkit.handler import TaskHandler

_making: Final = threading.RLock()


def kit() -> Kit:
    """Return the project's kit: the one that ``TASKKIT["KIT"]`` names, or one made of settings.

    Always the same one. Nothing is connected before its first use. Sets Django up where that has
    not been done, so that a worker process may begin here.

    Raises:
        InvalidSetting: the settings are not understood.
    """
    if not apps.ready:
        _set_up()
    with _making:
        return _project_kit()


def worker_kit() -> Kit:
    """Return the project's kit after importing what defines tasks: what workers begin with."""
    found = kit()
    module = read_settings().autodiscover
    if module is not None:
        autodiscover_modules(module)
    entries = declared()
    if entries:
        found.schedule_entries = {**(found.schedule_entries or {}), **entries}
    return found


def make_kit(handler: TaskHandler, *, using: str | None = None, **options: Any) -> Kit:
    """Make a kit with a handler of your own on the project's database.

    Args:
        handler: What tasks mean.
        using: The alias of another database than ``TASKKIT["DATABASE"]`` says.
        options: The other arguments of ``Kit``, in place of what ``TASKKIT`` says.

    Raises:
        InvalidSetting: the settings are not understood.
    """
    from taskkit_django.backend.opening import open_backend
    from taskkit_django.logs import FailureLog
    from taskkit_django.tasks.telling import Failures
    from taskkit_django.tending import Tending

    settings = read_settings()
    backend = open_backend(
        settings.database if using is None else using,
        prefix=settings.prefix,
        notify=settings.notify,
    )
    said = {**_options(settings), **options}
    plugins = (Tending(backend), Failures(), FailureLog(), *said.pop("plugins"))
    return Kit(backend, handler, plugins=plugins, **said)


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "plugins": [_plugin(path) for path in settings.plugins],
        "max_data_bytes": settings.max_data_bytes,
        "lease": settings.lease,
        "heartbeat": settings.heartbeat,
        "schedule_entries": settings.schedules or None,
        "tzinfo": get_default_timezone(),
    }


def _plugin(path: object) -> object:
    try:
        found = import_string(path)  # type: ignore[arg-type]  # what the settings say may be no text
    except (ImportError, AttributeError, TypeError) as error:
        raise InvalidSetting(
            f"{NAME}['PLUGINS']: expected the path of an object with hooks, or of a class of such, "
            f"found {path!r}: {error}"
        ) from error
    return found() if isinstance(found, type) else found


@cache
def _project_kit() -> Kit:
    path = read_settings().kit
    if path is None:
        from taskkit_django.handler import HANDLER

        return make_kit(HANDLER)
    try:
        found = import_string(path)
    except ImportError as error:
        raise InvalidSetting(
            f"{NAME}['KIT']: expected the path of a kit, found {path!r}: {error}"
        ) from error
    if not isinstance(found, Kit) and callable(found):
        found = found()
    if not isinstance(found, Kit):
        raise InvalidSetting(
            f"{NAME}['KIT']: expected a Kit, or a function that returns one, found {found!r}"
        )
    return found


def forget_kit(*, setting: str = NAME, **_details: Any) -> None:
    """Make the project's kit anew, and bind functions to it: a test has changed its settings.

    Receives Django's signal ``setting_changed``.
    """
    if setting in (NAME, "DATABASES", "DATABASE_ROUTERS", "TIME_ZONE"):
        with _making:
            _project_kit.cache_clear()
            with suppress(InvalidSetting):  # told at the first use
                _project_kit()


def _set_up() -> None:
    # In a worker process that nobody has told of Django; needs DJANGO_SETTINGS_MODULE.
    if not apps.apps_ready:
        django.setup()
