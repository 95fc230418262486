"""What ``INSTALLED_APPS`` names."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.apps import AppConfig
from django.core.signals import setting_changed
from django.db.models.signals import post_migrate

from taskkit.errors import InvalidSetting


class TaskkitConfig(AppConfig):
    """The app: ``"taskkit_django"``, or ``"taskkit.contrib.django"`` as in the first taskkit."""

    name = "taskkit_django"
    label = "taskkit"
    verbose_name = "Tasks"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, listen to Django, and bind ``@task`` functions to the kit."""
        from taskkit_django import checks, tending
        from taskkit_django.kit import forget_kit, kit

        checks.register()
        tending.listen()
        setting_changed.connect(forget_kit, dispatch_uid="taskkit")
        post_migrate.connect(_migrated, sender=self, dispatch_uid="taskkit")
        # What is wrong with the settings is told by the checks, with hints, and by the first use.
        with suppress(InvalidSetting):
            kit()


def _migrated(*, using: str, **details: Any) -> None:
    """Complete what ``migrate`` did, or what ``flush`` did, which sends the same signal."""
    from taskkit_django.backend.migrating import complete, empty
    from taskkit_django.models import PREFIX

    if "plan" in details:
        complete(using, PREFIX, any(step.app_label == "taskkit" for step, _ in details["plan"]))
    else:
        # Its own statements leave out what is not managed; TransactionTestCase relies on it.
        empty(using, PREFIX)
