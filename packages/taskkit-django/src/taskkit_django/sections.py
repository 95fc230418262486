"""What the admin shows of taskkit, as models: parts of the tables, and what is no table at all.

None has permissions of its own: who may see, change or delete tasks is said of ``Task``, and for
groups and schedules likewise.
"""

from __future__ import annotations

from django.db import models

from taskkit_django.fields import TextColumn
from taskkit_django.models import Task
from taskkit_relational import schema


class FailedTask(Task):
    """Tasks that failed for good."""

    class Meta:
        """A part of the tasks."""

        proxy = True
        default_permissions = ()
        verbose_name = "failed task"
        verbose_name_plural = "Failed tasks"


class LostTask(Task):
    """Tasks whose worker died: kept for a person to decide."""

    class Meta:
        """A part of the tasks."""

        proxy = True
        default_permissions = ()
        verbose_name = "lost task"
        verbose_name_plural = "Lost tasks"


class RunningTask(Task):
    """Tasks that a worker has now."""

    class Meta:
        """A part of the tasks."""

        proxy = True
        default_permissions = ()
        verbose_name = "running task"
        verbose_name_plural = "Running tasks"


class QueuedTask(Task):
    """Tasks that any worker may take."""

    class Meta:
        """A part of the tasks."""

        proxy = True
        default_permissions = ()
        verbose_name = "queued task"
        verbose_name_plural = "Queued tasks"


class BlockedTask(Task):
    """Tasks that wait for another with the same lock key to end."""

    class Meta:
        """A part of the tasks."""

        proxy = True
        default_permissions = ()
        verbose_name = "blocked task"
        verbose_name_plural = "Blocked tasks"


class WaitingTask(Task):
    """Tasks that are due later, or since a moment ago."""

    class Meta:
        """A part of the tasks."""

        proxy = True
        default_permissions = ()
        verbose_name = "waiting task"
        verbose_name_plural = "Waiting tasks"


class FinishedTask(Task):
    """Tasks that succeeded."""

    class Meta:
        """A part of the tasks."""

        proxy = True
        default_permissions = ()
        verbose_name = "finished task"
        verbose_name_plural = "Finished tasks"


class CancelledTask(Task):
    """Tasks that somebody cancelled, or that expired."""

    class Meta:
        """A part of the tasks."""

        proxy = True
        default_permissions = ()
        verbose_name = "cancelled task"
        verbose_name_plural = "Cancelled tasks"


class TaskSummary(Task):
    """How many tasks of each name are in which state."""

    class Meta:
        """A view of the tasks."""

        proxy = True
        default_permissions = ()
        verbose_name = "summary by task"
        verbose_name_plural = "Summary by task"


class Group(models.Model):
    """A named queue. There is no table of groups: there are those that tasks name."""

    name = TextColumn(primary_key=True, max_length=255)

    class Meta:
        """Of no table."""

        managed = False
        db_table = "taskkit_no_table_of_groups"
        default_permissions = ("change", "view")
        verbose_name = "task group"
        verbose_name_plural = "Task groups"

    def __str__(self) -> str:
        return str(self.name)


class ScheduleEntry(models.Model):
    """What a schedule puts, and when. Entries are part of their scheduler's one state."""

    key = TextColumn(primary_key=True, max_length=255)

    class Meta:
        """Of no table."""

        managed = False
        db_table = "taskkit_no_table_of_entries"
        verbose_name = "schedule"
        verbose_name_plural = "Schedules"

    def __str__(self) -> str:
        return str(self.key)


STATES = {
    FailedTask: schema.FAILED,
    LostTask: schema.LOST,
    RunningTask: schema.RUNNING,
    QueuedTask: schema.READY,
    BlockedTask: schema.PARKED,
    WaitingTask: schema.WAITING,
    FinishedTask: schema.SUCCEEDED,
    CancelledTask: schema.CANCELLED,
}
"""The number of the state that each part shows."""
