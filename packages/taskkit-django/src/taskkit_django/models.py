"""taskkit's tables as Django's ORM sees them: to look at, in the admin and in queries.

Not managed: the tables are made by ``backend.migrating``, in each database's own SQL, and changed
by the kit alone, which keeps its promises only so.
"""

from __future__ import annotations

from typing import Final

from django.db import models

from taskkit.errors import InvalidSetting
from taskkit.limits import (
    MAX_GROUP_LENGTH,
    MAX_ID_LENGTH,
    MAX_KEY_LENGTH,
    MAX_NAME_LENGTH,
)
from taskkit_django.fields import BytesColumn, InstantColumn, JsonColumn, TextColumn
from taskkit_django.settings import Settings, read_settings
from taskkit_relational import schema


def _prefix() -> str:
    try:
        return read_settings().prefix
    except InvalidSetting:  # told by the checks, which need the models first
        return Settings().prefix


PREFIX: Final = _prefix()
"""Before the names of the tables; read once, as all names of models' tables are."""


class Task(models.Model):
    """One task. Reading it is free; to change one, use the kit."""

    class State(models.IntegerChoices):
        """The numbers of states."""

        WAITING = schema.WAITING, "waiting"
        QUEUED = schema.READY, "queued"
        PARKED = schema.PARKED, "queued behind a lock"
        RUNNING = schema.RUNNING, "running"
        SUCCEEDED = schema.SUCCEEDED, "succeeded"
        FAILED = schema.FAILED, "failed"
        LOST = schema.LOST, "lost"
        CANCELLED = schema.CANCELLED, "cancelled"

    id = TextColumn(primary_key=True, max_length=MAX_ID_LENGTH)
    state = models.SmallIntegerField(choices=State.choices)
    group = TextColumn(max_length=MAX_GROUP_LENGTH, db_column="grp")
    name = TextColumn(max_length=MAX_NAME_LENGTH)
    priority = models.SmallIntegerField()
    due = InstantColumn()
    created = InstantColumn()
    token = models.BigIntegerField()
    attempt = models.IntegerField()
    retry_count = models.IntegerField()
    losses = models.IntegerField()
    cancelling = models.SmallIntegerField()
    worker_id = TextColumn(max_length=MAX_KEY_LENGTH, null=True)
    began = InstantColumn(null=True)
    done = InstantColumn(null=True)
    purge_at = InstantColumn(null=True)
    expires = InstantColumn(null=True)
    unique_key = TextColumn(max_length=MAX_KEY_LENGTH, null=True)
    lock_key = TextColumn(max_length=MAX_KEY_LENGTH, null=True)
    lock_limit = models.IntegerField()
    options = JsonColumn(null=True)
    labels = JsonColumn(null=True)
    failure = JsonColumn(null=True)
    history = JsonColumn(null=True)
    progress = BytesColumn(null=True)
    data = BytesColumn()
    result = BytesColumn(null=True)

    class Meta:
        """Of a table that is not Django's own."""

        managed = False
        db_table = f"{PREFIX}task"

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


class Worker(models.Model):
    """One worker process, alive or not yet known to be dead."""

    id = TextColumn(primary_key=True, max_length=MAX_KEY_LENGTH)
    info = JsonColumn()
    """``[groups, host, pid, version]``."""
    registered = InstantColumn()
    expires = InstantColumn()
    stopped = JsonColumn()

    class Meta:
        """Of a table that is not Django's own."""

        managed = False
        db_table = f"{PREFIX}worker"

    def __str__(self) -> str:
        return str(self.id)


class Schedule(models.Model):
    """What one scheduler remembers: when each of its entries fired, and the entries added to it.

    The entries themselves are read and changed by ``kit.schedules``.
    """

    name = TextColumn(primary_key=True, max_length=MAX_KEY_LENGTH)
    version = models.BigIntegerField()
    state = BytesColumn()

    class Meta:
        """Of a table that is not Django's own."""

        managed = False
        db_table = f"{PREFIX}schedule"

    def __str__(self) -> str:
        return str(self.name)


class Pause(models.Model):
    """A group whose tasks are not claimed for now; ``*`` stands for all."""

    group = TextColumn(primary_key=True, max_length=MAX_GROUP_LENGTH, db_column="grp")
    until = InstantColumn(null=True)

    class Meta:
        """Of a table that is not Django's own."""

        managed = False
        db_table = f"{PREFIX}pause"

    def __str__(self) -> str:
        return str(self.group)


class Limit(models.Model):
    """The limits of a group."""

    group = TextColumn(primary_key=True, max_length=MAX_GROUP_LENGTH, db_column="grp")
    max_running = models.IntegerField(null=True)
    rate_limit = models.IntegerField(null=True)
    rate_period = models.FloatField(null=True)
    max_queue_size = models.IntegerField(null=True)

    class Meta:
        """Of a table that is not Django's own."""

        managed = False
        db_table = f"{PREFIX}limits"

    def __str__(self) -> str:
        return str(self.group)


# They are models of this app too; a module of their own, because they need those above.
from taskkit_django import sections as sections  # noqa: E402, PLC0414 - they need the models
