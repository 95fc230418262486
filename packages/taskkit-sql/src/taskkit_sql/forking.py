"""Forks: what is done before and after each, while no other thread of the child can run.

No connection to a file is open while the process forks. SQLite notes per process, not per
connection, which locks are held on a file. A child inherits the notes but not the locks, so that
even a connection that it opens itself would read and write unprotected. Therefore everything is
closed before a fork and opened again, where it is needed, after it, on both sides. Where that is
not possible because the store is in use at that moment, the child refuses to use it: that harms
nobody.

Connections to a server stay open, and the child has none of them.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """What has to be quiet while the process forks."""

    def before_fork(self) -> None: ...
    def after_fork_in_parent(self) -> None: ...
    def after_fork_in_child(self) -> None: ...


_forkables: weakref.WeakSet[Forkable] = weakref.WeakSet()


def attend(forkable: Forkable) -> None:
    """Tell something of every fork of this process, for as long as it lives."""
    _forkables.add(forkable)


def _before() -> None:
    for forkable in list(_forkables):
        forkable.before_fork()


def _in_parent() -> None:
    for forkable in list(_forkables):
        forkable.after_fork_in_parent()


def _in_child() -> None:
    for forkable in list(_forkables):
        forkable.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
