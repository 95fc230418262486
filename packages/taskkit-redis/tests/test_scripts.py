"""The scripts as the server gets them, and where they must agree with Python."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from rediscase import claim, new_task, register, succeed

from taskkit.limits import MAX_LOCK_LIMIT
from taskkit.task import CANCELLED_BY_REQUEST, EXPIRED, SUPERSEDED, WORKER_DIED
from taskkit_redis import codec
from taskkit_redis.scripts import script

MODULES = {"base", "records", "lines", "queue", "finished", "transitions", "putting", "leaving"}
SOURCES = {
    each.name.removesuffix(".lua"): each.read_text()
    for each in files("taskkit_redis").joinpath("lua").iterdir()
}
PARTS = {name for name, text in SOURCES.items() if text.startswith("-- Part of ")}
SCRIPTS = sorted(SOURCES.keys() - MODULES - PARTS)


def parts_of(name: str) -> list[str]:
    return re.findall(r"^-- part (\w+)$", SOURCES[name], re.MULTILINE)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_server_accepts_each(name, raw):
    assert raw.script_load(script(name).text) == script(name).sha


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_names_the_modules_that_it_asks_for(name):
    used = set(SOURCES[name].split("\n", 1)[0].split()[2:])
    asked = set()
    left = [name, *parts_of(name)]
    while left:
        text = SOURCES[left.pop()]
        found = {each for each in MODULES if f"{each}()" in text} - asked
        asked |= found
        left += found
    assert used - {"base", "nothing"} == asked


def test_each_part_is_put_into_the_script_that_it_names():
    named = {name: re.match(r"-- Part of (\w+):", SOURCES[name])[1] for name in PARTS}
    assert named == {part: name for name in SOURCES for part in parts_of(name)}
    for part, name in named.items():
        [*_, last] = SOURCES[part].strip().splitlines()
        assert last.encode() in script(name).text


def test_no_script_speaks_of_a_key_that_is_not_of_its_partition():
    """Every key begins with the one that is declared."""
    for name, text in SOURCES.items():
        for command, first in re.findall(r"call\('(\w+)', ([^,)]+)", text):
            made = {"key", "keys .. id", "kept", "cursor", "unpack(names", "line_key"}
            known = first.startswith("P ..") or first in made
            no_key = command in {"TIME", "SCAN", "UNLINK"} or first.startswith("key_of")
            assert known or no_key, f"{name}: {command} {first}"


def test_options_that_are_not_given_mean_the_same():
    found = re.search(r"local DEFAULTS = \{ (.*) \}", SOURCES["base"])[1]
    words = [word.strip().strip("'") for word in found.split(",")]
    meant = [{False: "false"}.get(value, str(value)) for value in codec.DEFAULT_OPTIONS]
    assert words == meant


def test_failures_have_the_same_names():
    for name in (CANCELLED_BY_REQUEST, EXPIRED, SUPERSEDED, WORKER_DIED):
        assert f"{{ '{name}'," in SOURCES["base"] + SOURCES["transitions"]


def test_lock_limits_fit_into_their_digits():
    assert len(str(MAX_LOCK_LIMIT)) <= 5


def test_a_server_that_has_forgotten_the_scripts(backend, raw):
    register(backend)
    backend.put([new_task()])
    raw.script_flush()
    [one] = claim(backend)
    raw.script_flush()
    assert succeed(backend, [one]) == [True]


def test_only_the_hash_is_sent(backend, raw):
    backend.put([new_task()])
    raw.config_resetstat()
    backend.put([new_task()])
    stats = raw.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] == 1
    assert "cmdstat_script|load" not in stats
