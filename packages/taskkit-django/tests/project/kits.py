"""Kits that tests name in TASKKIT["KIT"]."""

from taskkit import Kit, connect
from taskkit_django.handler import HANDLER
from taskkit_django.tasks.telling import Failures


def in_memory():
    return Kit(connect("memory"), HANDLER, plugins=[Failures()])


def hide_all(name, arguments):
    return {"": "nothing to see"}


def in_transaction():
    """A kit that a worker in the test's own transaction can use."""
    from taskkit_django.backend.opening import open_backend

    return Kit(open_backend(private=False), HANDLER)
