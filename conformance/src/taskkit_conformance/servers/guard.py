"""Runs one program and sees to it that it never outlives the process that asked for it.

A script that needs only the standard library: ``python guard.py USER COMMAND...``. It tells the
program's pid on standard output and then obeys standard input: each line is the number of a signal
and whether it is for the program alone or for its children too, and is answered with a line. When
standard input ends, however that came about (a test run that is killed cannot tidy up), the
program and its children are killed.

The guard is the program's parent and passes signals on by itself, so none can ever reach a foreign
process that was given the pid of one that has ended.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

EXIT_BY_SIGNAL = 128
"""Added to the number of the signal that ended the program, as shells do."""


def children(pid: int) -> list[int]:
    """Return the pids of all descendants of a process."""
    parents = list(from_proc() if Path("/proc/self").is_dir() else from_ps())
    found = [pid]
    for each in found:
        found += [child for child, parent in parents if parent == each]
    return found[1:]


def from_proc() -> Iterator[tuple[int, int]]:
    """Yield each process and its parent. Linux; small images have no ``ps``."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            # What is in parentheses is the command, which may hold anything.
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            yield int(folder.name), int(fields[1])


def from_ps() -> Iterator[tuple[int, int]]:
    """Yield each process and its parent, wherever there is a ``ps``."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="],  # noqa: S607 - where it is differs
        capture_output=True,
        text=True,
        check=False,
    )
    for line in listed.stdout.splitlines():
        pid, parent = line.split()
        yield int(pid), int(parent)


def deliver(program: subprocess.Popen[bytes], number: int, everyone: bool) -> None:
    """Send a signal to the program, and to its children where that is asked for."""
    if program.poll() is not None:
        return
    if not everyone:
        program.send_signal(number)
        return
    if number == signal.SIGKILL:
        # While it stands still it starts no more children, which would be nobody's.
        program.send_signal(signal.SIGSTOP)
    if number == signal.SIGSTOP:
        program.send_signal(number)
    others = children(program.pid)
    program.send_signal(number)
    for pid in others:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def obey(program: subprocess.Popen[bytes], busy: threading.Lock) -> None:
    """Pass signals on until there is nobody left to ask for them; answer when each is sent."""
    for line in sys.stdin.buffer:
        number, everyone = map(int, line.split())
        with busy:
            deliver(program, number, bool(everyone))
            print(flush=True)
    with busy:
        deliver(program, signal.SIGKILL, True)


def main(user: str, command: list[str]) -> int:
    """Run the program to its end and return its exit status."""
    program = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        user=user or None,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=() if user else None,
    )
    print(program.pid, flush=True)
    busy = threading.Lock()
    threading.Thread(target=obey, args=(program, busy), daemon=True).start()
    status = program.wait()
    busy.acquire()  # for ever: the children of a program that is killed are killed too
    return status if status >= 0 else EXIT_BY_SIGNAL - status


if __name__ == "__main__":
    os._exit(main(sys.argv[1], sys.argv[2:]))
