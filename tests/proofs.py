"""Runs the conformance suite on every store that is here, some at the same time.

    python tests/proofs.py [--at-once 2] [--all] [--reports DIR] [STORE …] [-- OPTIONS]

Without names: one store of each kind; with ``--all`` also those that share nearly all code with
one of them. What follows ``--`` is for ``taskkit-conformance``. A store whose server is missing is
passed over with a line that says how to get it; where the environment variable CI is set, that is
a failure, because there it would go unnoticed. What a store's run prints is shown when it has
failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from taskkit_conformance.servers import lacking


@dataclass(frozen=True, slots=True)
class Store:
    """What is proven, on which kind of server of the suite's own."""

    server: str | None = None
    arguments: tuple[str, ...] = ()
    """Of taskkit-conformance; empty: the store's name."""
    is_ordinary: bool = True


STORES = {
    "memory": Store(),
    "sql": Store(),
    "postgres": Store("postgres"),
    "mariadb": Store("mariadb"),
    "mysql": Store("mysql", is_ordinary=False),
    "redis": Store("redis"),
    "redis-cluster": Store("redis-cluster", is_ordinary=False),
    "redis-sentinel": Store("redis-sentinel", is_ordinary=False),
    "django": Store(),
    "django-postgres": Store("postgres", ("django", "--url", "postgres"), is_ordinary=False),
    "django-mariadb": Store("mariadb", ("django", "--url", "mariadb"), is_ordinary=False),
}


@dataclass(frozen=True, slots=True)
class Proof:
    """How one store's run ended."""

    store: str
    passed: bool
    seconds: float
    output: str

    def told(self) -> str:
        """Return one line."""
        word = "passed" if self.passed else "FAILED"
        counted = [line for line in self.output.splitlines() if line.startswith("properties:")]
        return f"{self.store}: {word} in {self.seconds:.0f} s; {''.join(counted[-1:])}"


def main(arguments: Sequence[str]) -> int:
    """Prove stores and return how many of them failed."""
    ours, _, theirs = (" ".join(arguments)).partition(" -- ")
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("stores", nargs="*", metavar="STORE", help=", ".join(STORES))
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--reports", help="a folder: each store's report goes below it")
    chosen = parser.parse_args(ours.split())
    every = [name for name, store in STORES.items() if chosen.all or store.is_ordinary]
    wanted = chosen.stores or every
    stores = [store for store in wanted if _is_here(store)]
    options = theirs.split() or ["--profile", "quick"]
    missing = [store for store in wanted if store not in stores]

    def prove(store: str) -> Proof:
        report = ["--report", f"{chosen.reports}/{store}"] if chosen.reports else []
        return _prove(store, [*options, *report])

    with ThreadPoolExecutor(chosen.at_once) as pool:
        proofs = list(pool.map(prove, stores))
    failed = [proof for proof in proofs if not proof.passed]
    for proof in failed:
        print(proof.output)
    print(*(proof.told() for proof in proofs), sep="\n")
    is_strict = os.environ.get("CI", "").lower() not in {"", "0", "false"}
    return len(failed) + (len(missing) if is_strict else 0)


def _is_here(store: str) -> bool:
    kind = STORES[store].server
    lack = None if kind is None else lacking(kind)
    if lack is not None:
        print(f"{store}: passed over: {lack}", file=sys.stderr)
    return lack is None


def _prove(store: str, options: Sequence[str]) -> Proof:
    began = time.monotonic()
    # The module, not the command: its folder need not be in PATH.
    command = [sys.executable, "-m", "taskkit_conformance.cli"]
    done = subprocess.run(
        [*command, *(STORES[store].arguments or (store,)), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    proof = Proof(store, done.returncode == 0, time.monotonic() - began, done.stdout)
    print(proof.told(), flush=True)
    return proof


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
