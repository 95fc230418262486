"""Waiting in a process that has no descriptor left, or more than `select` can count."""

from __future__ import annotations

import errno
import os

import pytest
from rediscase import new_task

from taskkit.errors import Unavailable


def test_a_wait_without_a_pipe_to_be_had_spoils_no_later_one(opened, monkeypatch):
    one, other = opened(), opened()
    one.wait(["mail"], 0)  # it listens from here on, and has not slept

    def no_more():
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pipe", no_more)
        with pytest.raises(Unavailable, match="without a pipe .*Too many open files"):
            one.wait(["mail"], 60)
    assert one.wait(["mail"], 0.05) is False
    other.put([new_task()])
    assert one.wait(["mail"], 60) is True
