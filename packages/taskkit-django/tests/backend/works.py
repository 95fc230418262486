"""Tasks of the tests of this folder."""

import threading

from django.db import connections

from taskkit import fixed
from taskkit_django import task

seen = []
room = threading.Barrier(1)


@task
def note(text):
    seen.append(text)
    return text


@task(retry=fixed(3600, max_retries=1))
def stumbles(text):
    seen.append(text)
    raise LookupError(text)


@task
def puts_another(text):
    note.delay(text + "!")


@task
def queries(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone()[0]


@task
def queries_together(alias):
    """Query, once all slots hold a connection."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1")
        room.wait(30)


@task
async def queries_async(alias):
    from asgiref.sync import sync_to_async

    return await sync_to_async(queries)(alias)


@task
def breaks_sql(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT * FROM no_such_table")
