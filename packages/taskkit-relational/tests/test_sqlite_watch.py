"""When a process looks at a SQLite file: woken by its log, or by another thread."""

from __future__ import annotations

import os
import threading

import pytest

from taskkit_relational.dialects.sqlite.watch import LogWatch


@pytest.fixture
def watch(tmp_path):
    log = tmp_path / "tasks.db-wal"
    log.touch()
    try:
        return LogWatch(str(log))
    except (OSError, AttributeError) as error:
        pytest.skip(f"this system does not tell of writes to files: {error}")


def test_an_interruption_ends_a_rest(watch):
    rest = threading.Thread(target=lambda: [watch.rest(changed=False) for _ in range(3)])
    rest.start()
    while rest.is_alive():
        watch.interrupt()
    watch.close()


def test_who_interrupts_late_writes_to_nobody_elses_file(watch):
    watch.close()
    # They get the numbers that have just become free.
    reader, writer = os.pipe()
    other = os.eventfd(0, os.EFD_NONBLOCK)
    watch.interrupt()
    with pytest.raises(BlockingIOError):
        os.eventfd_read(other)
    for descriptor in (reader, writer, other):
        os.close(descriptor)
