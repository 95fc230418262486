"""The registry that the project's ``@task`` functions are in."""

from __future__ import annotations

from typing import Final

from taskkit import TaskRegistry

tasks: Final = TaskRegistry()
"""Bound to the project's kit when Django is set up."""

task = tasks.task
