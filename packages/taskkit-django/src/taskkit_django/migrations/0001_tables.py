"""The first layout of the tables: new ones, so that nothing that is in use is locked."""

from __future__ import annotations

from typing import Final

from django.db import migrations

from taskkit_django.backend.migrating import ApplySteps
from taskkit_django.fields import TextColumn
from taskkit_django.models import PREFIX

_MODELS: Final = {
    "Task": ("id", "task"),
    "Worker": ("id", "worker"),
    "Schedule": ("name", "schedule"),
    "Pause": ("group", "pause"),
    "Limit": ("group", "limits"),
}
"""The key and the table of each. Of models that are not managed Django asks for no more."""


def _stated(name: str, key: str, table: str) -> migrations.CreateModel:
    return migrations.CreateModel(
        name=name,
        fields=[(key, TextColumn(primary_key=True, serialize=False, max_length=255))],
        options={"managed": False, "db_table": f"{PREFIX}{table}"},
    )


class Migration(migrations.Migration):
    """Its name is not ``0001_initial``, which the first taskkit's app had under the same label."""

    initial = True
    operations = (
        ApplySteps(PREFIX),
        *(_stated(name, key, table) for name, (key, table) in _MODELS.items()),
    )
