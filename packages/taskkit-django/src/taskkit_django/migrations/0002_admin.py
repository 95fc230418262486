"""What the admin shows, for Django's books alone: no table is made or changed."""

from __future__ import annotations

from typing import Final

from django.db import migrations

from taskkit_django.fields import TextColumn

_PARTS: Final = (
    "failed",
    "lost",
    "running",
    "queued",
    "blocked",
    "waiting",
    "finished",
    "cancelled",
)


def _proxy(name: str, singular: str, plural: str) -> migrations.CreateModel:
    return migrations.CreateModel(
        name=name,
        fields=[],
        options={
            "proxy": True,
            "default_permissions": (),
            "verbose_name": singular,
            "verbose_name_plural": plural,
            "indexes": [],
            "constraints": [],
        },
        bases=("taskkit.task",),
    )


class Migration(migrations.Migration):
    """Proxies of tasks, and models of no table."""

    dependencies = (("taskkit", "0001_tables"),)
    operations = (
        *(
            _proxy(f"{part.capitalize()}Task", f"{part} task", f"{part.capitalize()} tasks")
            for part in _PARTS
        ),
        _proxy("TaskSummary", "summary by task", "Summary by task"),
        migrations.CreateModel(
            name="Group",
            fields=[("name", TextColumn(primary_key=True, serialize=False, max_length=255))],
            options={
                "managed": False,
                "db_table": "taskkit_no_table_of_groups",
                "default_permissions": ("change", "view"),
                "verbose_name": "task group",
                "verbose_name_plural": "Task groups",
            },
        ),
        migrations.CreateModel(
            name="ScheduleEntry",
            fields=[("key", TextColumn(primary_key=True, serialize=False, max_length=255))],
            options={
                "managed": False,
                "db_table": "taskkit_no_table_of_entries",
                "verbose_name": "schedule",
                "verbose_name_plural": "Schedules",
            },
        ),
    )
