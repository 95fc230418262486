"""Waiting in a process that has no descriptor left, or more than `select` can count."""

from __future__ import annotations

import errno
import os
import resource

import pytest
from rediscase import claim, new_task, register, succeed, until, waiting

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


MANY = 1100


@pytest.fixture
def crowded():
    """A process in which every new descriptor has a number beyond 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * MANY:
        pytest.skip(f"this system allows no more than {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * MANY, hard))
    held = []
    try:
        held += [os.open(os.devnull, os.O_RDONLY) for _ in range(MANY)]
        yield
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("crowded")
@pytest.mark.parametrize("partitions", [1, 4])
def test_a_wait_with_many_descriptors(opened, partitions):
    one, other = opened(partitions=partitions), opened(partitions=partitions)
    one.wait(["mail"], 0)
    assert one.wait(["mail"], 0.05) is False
    other.put([task := new_task()])
    assert one.wait(["mail"], 60) is True
    thread, answers = waiting(lambda: one.wait_done(task.id, 60))
    until(lambda: one._wakeup._reading)
    # Whoever listens to more rings the bell of who sleeps.
    assert one.wait(["else"], 0.05) is True
    register(other)
    succeed(other, claim(other))
    thread.join(30)
    assert answers == [True]
