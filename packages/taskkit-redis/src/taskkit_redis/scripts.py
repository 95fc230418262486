"""The scripts: a Lua file for each transition, with what it shares with others put before it.

The first line of a file names what it uses (``-- uses base records``). Redis knows a script by the
hash of its text and keeps it until it is restarted, so that only the hash is sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Final

_USES: Final = re.compile(r"-- uses ([a-z ]+)\n")


@dataclass(frozen=True, slots=True)
class Script:
    """A script as the server gets it."""

    name: str
    text: bytes
    sha: str

    @property
    def loading(self) -> tuple[str | bytes, ...]:
        """The command that makes the script known to a server."""
        return "SCRIPT", "LOAD", self.text


@cache
def script(name: str) -> Script:
    """Return the script of this name, with all that it uses."""
    main = _read(name)
    used = _USES.match(main)
    parts = [*(_read(part) for part in (used[1].split() if used else ())), main]
    text = _bare("\n".join(parts)).encode()
    return Script(name, text, sha1(text, usedforsecurity=False).hexdigest())


def _read(name: str) -> str:
    return files("taskkit_redis").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


def _bare(text: str) -> str:
    # A server keeps the text of every script: without comments it is half as long.
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("--"))
