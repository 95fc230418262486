"""Kits that tests name in TASKKIT["KIT"]."""

from taskkit import Kit, connect
from taskkit_django.handler import HANDLER
from taskkit_django.tasks.telling import Failures


def in_memory():
    return Kit(connect("memory"), HANDLER, plugins=[Failures()])
