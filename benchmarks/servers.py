"""Where benchmarks keep their tasks: a SQLite file, or a private server that waits for its disk.

    python benchmarks/servers.py postgres     # run one until Ctrl-C, and print its URL

A server is started on a free port of the loopback interface with its data in a new folder below
the temporary one (``TMPDIR``, which should be on a disk) and is gone at the end; servers that run
already are left alone. It keeps what it has acknowledged through a power cut, as servers do unless
somebody says otherwise, and gets the same memory for pages whichever it is. With
``TASKKIT_TEST_POSTGRES_URL`` or ``TASKKIT_TEST_MARIADB_URL`` a server of yours is used as it is.
"""

from __future__ import annotations

import argparse
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from taskkit_conformance.servers import obtain

STORES = ("sqlite", "postgres", "mariadb")

DURABLE = {
    "postgres": {"fsync": "on", "full_page_writes": "on", "shared_buffers": "512MB"},
    "mariadb": {
        "innodb-flush-log-at-trx-commit": "1",
        "innodb-doublewrite": "1",
        "loose-innodb-flush-method": "O_DIRECT",
        "innodb-buffer-pool-size": "512M",
        "innodb-log-file-size": "1G",  # as much as PostgreSQL writes between two checkpoints
    },
}

COUNTING = {"postgres": {"shared_preload_libraries": "pg_stat_statements"}, "mariadb": {}}
"""What it takes to count statements; it costs a little, so only those who count ask for it."""


@contextmanager
def databases(
    store: str, settings: Mapping[str, str] | None = None
) -> Iterator[Callable[[], AbstractContextManager[str]]]:
    """Run a server while the block lasts; yields what gives the URL of an empty database."""
    if store == "sqlite":
        yield _file
        return
    server = obtain(store, {**DURABLE[store], **(settings or {})})
    try:
        yield server.database
    finally:
        server.stop()


@contextmanager
def _file() -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        yield f"sqlite:///{folder}/taskkit.db"


def store_argument(parser: argparse.ArgumentParser, default: str = "postgres") -> None:
    """Let the user of a benchmark choose the store."""
    parser.add_argument("--store", choices=STORES, default=default)


def named(benchmark: str, store: str) -> str:
    """Return the name of the figures of a benchmark that began on SQLite."""
    return benchmark if store == "sqlite" else f"{benchmark}_{store}"


def main() -> None:
    """Run a server until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", choices=STORES[1:])
    with databases(parser.parse_args().store) as database, database() as url:
        print(url, flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
