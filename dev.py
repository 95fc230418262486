#!/usr/bin/env python3
"""Work on taskkit from a fresh clone: ``python3 dev.py demo``, ``python3 dev.py test``.

Needs Python 3.11 or newer and a package registry, nothing else. It makes an environment of its
own in ``.tools/`` (the system's Python is not touched), installs nox there and hands over to it;
``noxfile.py`` holds the rest. What follows a command goes to what it runs:
``python3 dev.py test -k retry`` gives ``-k retry`` to pytest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
TOOLS = ROOT / ".tools"
NOX = "nox>=2025.5"
COMMANDS = {
    "demo": ("demo", "watch worker processes check the links of this repository's documents"),
    "test": ("tests", "run the tests on every supported Python that is installed"),
    "lint": ("lint", "ruff, import-linter, deptry, codespell"),
    "types": ("types", "mypy --strict and pyright"),
    "build": ("build", "build the wheels and try them in an empty environment"),
    "stranger": ("stranger", "prove the example backend from wheels, as a stranger would"),
    "coverage": ("coverage", "run the tests once and report what they do not reach"),
    "lock": ("lock", "write requirements.lock anew"),
}
NO_INSTALLER = """\
dev.py: this Python has neither pip nor the means to make an environment with pip, and uv is not
installed either. One of them is needed to install from the package registry:
  Debian, Ubuntu:  apt-get install python3-venv
  elsewhere:       python3 -m ensurepip --user, or install uv
"""


def main(arguments: list[str]) -> int:
    """Install nox if it is missing, then become it; return only if that cannot be."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the check is for whoever starts an older one
        print(
            f"dev.py: taskkit needs Python 3.11 or newer, and this is {sys.version.split()[0]}; "
            "start it with a newer one, such as python3.12 dev.py",
            file=sys.stderr,
        )
        return 2
    if not arguments or arguments[0] not in COMMANDS:
        print("usage: python3 dev.py COMMAND [ARGUMENT …]\n")
        for name, (_, what) in COMMANDS.items():
            print(f"  {name:9} {what}")
        return 0 if arguments and arguments[0] in {"-h", "--help"} else 2
    if not installed() and not install():
        print(NO_INSTALLER, file=sys.stderr)
        return 1
    return become_nox(COMMANDS[arguments[0]][0], arguments[1:])


def become_nox(session: str, arguments: list[str]) -> NoReturn:
    """Replace this process, so that Ctrl-C has one reader and the exit code is nox's own."""
    os.chdir(ROOT)
    sys.stdout.flush()
    command = [str(TOOLS / "bin" / "python"), "-m", "nox", "--session", session, "--", *arguments]
    os.execve(command[0], command, registry_environment())


def installed() -> bool:
    """Return whether .tools holds a nox that runs."""
    python = TOOLS / "bin" / "python"
    return python.exists() and run([python, "-c", "import nox"], quiet=True)


def install() -> bool:
    """Make .tools, in the first way that works here."""
    python, tool = sys.executable, str(TOOLS / "bin" / "python")
    ways = [
        # The ordinary way. It fails where the distribution split ensurepip off (Debian).
        [[python, "-m", "venv", "--clear", TOOLS], [tool, "-m", "pip", "install", "-q", NOX]],
        # An environment needs no pip of its own if another pip installs into it; an externally
        # managed system Python refuses its pip only for itself.
        [
            [python, "-m", "venv", "--clear", "--without-pip", TOOLS],
            [python, "-m", "pip", "--python", tool, "install", "-q", NOX],
        ],
    ]
    if shutil.which("uv"):
        ways.insert(
            0,
            [
                ["uv", "venv", "-q", "--clear", "--python", python, TOOLS],
                ["uv", "pip", "install", "-q", "--python", tool, NOX],
            ],
        )
    print(f"dev.py: installing nox into {TOOLS.name}/ …", flush=True)
    failures: list[str] = []
    for way in ways:
        if all(run(command, failures=failures) for command in way):
            return True
    print("\n".join(failures), file=sys.stderr)
    return False


def run(
    command: list[str | Path], *, quiet: bool = False, failures: list[str] | None = None
) -> bool:
    """Run a command and return whether it succeeded; remember what it said if it did not."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        env=registry_environment(),
    )
    if done.returncode and not quiet and failures is not None:
        failures.append(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}".rstrip())
    return done.returncode == 0


def registry_environment() -> dict[str, str]:
    """Return the environment, in which uv finds the registry that pip was told of.

    uv reads no setting of pip's. Who set up a mirror for one of them means both.
    """
    environment = dict(os.environ)
    if not any(name.startswith(("UV_INDEX", "UV_DEFAULT_INDEX")) for name in environment):
        listed = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        for line in listed.splitlines():
            name, _, value = line.partition("=")
            if name.endswith(".index-url"):
                environment["UV_DEFAULT_INDEX"] = value.strip("'\"")
    return environment


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
