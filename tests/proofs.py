"""Runs the conformance suite on every store that is here, some at the same time.

    python tests/proofs.py [--at-once 2] [STORE …] [-- OPTIONS OF taskkit-conformance]

A store whose server is missing is passed over with a line that says how to get it; where the
environment variable CI is set, that is a failure, because there it would go unnoticed. What a
store's run prints is shown when it has failed.
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

STORES = {
    "memory": None,
    "sql": None,
    "postgres": "postgres",
    "mariadb": "mariadb",
    "redis": "redis",
    "django": None,
}
"""The name of each store's plugin, and the kind of server that it needs."""


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
    chosen = parser.parse_args(ours.split())
    stores = [store for store in chosen.stores or STORES if _is_here(store)]
    options = theirs.split() or ["--profile", "quick"]
    missing = [store for store in chosen.stores or STORES if store not in stores]
    with ThreadPoolExecutor(chosen.at_once) as pool:
        proofs = list(pool.map(lambda store: _prove(store, options), stores))
    failed = [proof for proof in proofs if not proof.passed]
    for proof in failed:
        print(proof.output)
    print(*(proof.told() for proof in proofs), sep="\n")
    is_strict = os.environ.get("CI", "").lower() not in {"", "0", "false"}
    return len(failed) + (len(missing) if is_strict else 0)


def _is_here(store: str) -> bool:
    kind = STORES[store]
    lack = None if kind is None else lacking(kind)
    if lack is not None:
        print(f"{store}: passed over: {lack}", file=sys.stderr)
    return lack is None


def _prove(store: str, options: Sequence[str]) -> Proof:
    began = time.monotonic()
    done = subprocess.run(
        ["taskkit-conformance", store, *options],
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
