"""The scripts: a Lua file for each transition, with the modules that it shares with others.

The first line of a file names what it uses: ``base``, which is put before it, and modules, each
built when it is first asked for (``records().load(…)``). Where a file says ``-- part NAME``, that
file is put in: for a script that is long, and whose functions change each other's locals in loops.
Redis knows a script by the hash of its text and keeps it until it is restarted, so that only the
hash is sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Final

_USES: Final = re.compile(r"-- uses ([a-z ]+)\n")

_PART: Final = re.compile(r"^-- part ([a-z]+)$", re.MULTILINE)

_MODULE: Final = """
local built_{name} = nil
local function {name}()
  if not built_{name} then
    built_{name} = (function()
{text}
    end)()
  end
  return built_{name}
end
"""
"""Most calls need few modules, and to build a function costs a tenth of a microsecond each time."""


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
    main = _PART.sub(lambda part: _read(part[1]), _read(name))
    used = _USES.match(main)
    assert used is not None, f"{name}.lua does not name what it uses"
    if used[1] == "nothing":
        text = _bare(main).encode()
        return Script(name, text, sha1(text, usedforsecurity=False).hexdigest())
    base, *modules = used[1].split()
    parts = [_read(base)]
    parts += [_MODULE.format(name=module, text=_read(module)) for module in modules]
    # As a function, too: what a function takes from the one around it, it finds at once, but among
    # the locals of the main chunk Lua has to search.
    parts.append(f"return (function()\n{main}\nend)()")
    text = _bare("\n".join(parts)).encode()
    return Script(name, text, sha1(text, usedforsecurity=False).hexdigest())


def _read(name: str) -> str:
    return files("taskkit_redis").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


def _bare(text: str) -> str:
    # A server keeps the text of every script: without comments it is half as long.
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("--"))
