"""What ``INSTALLED_APPS`` names."""

from __future__ import annotations

from django.apps import AppConfig


class TaskkitConfig(AppConfig):
    """The app: ``"taskkit_django"``, or ``"taskkit.contrib.django"`` as in the first taskkit."""

    name = "taskkit_django"
    label = "taskkit"
    verbose_name = "Tasks"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, and learn when requests begin and end."""
        from taskkit_django import checks, tending

        checks.register()
        tending.listen()
