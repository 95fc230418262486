"""A link checker on taskkit: it checks every link of a folder of Markdown.

    taskkit demo [PATH] [--online] [--resume]

One task per file extracts the links, one task per link checks it: relative links and heading
anchors on disk, http links by asking the server. Two worker processes with 16 threads each do the
work, a SQLite file holds it, a schedule records the progress every second. Without ``--online`` a
stand-in on this machine answers for all servers: slowly, at first not always, for some links
never, so that retries and failures can be seen. Stop it with Ctrl-C and go on with ``--resume``.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from hashlib import sha256
from html.parser import HTMLParser
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import quantiles
from threading import Lock, Thread
from typing import Any
from unicodedata import category
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, urlopen

from markdown_it import MarkdownIt
from markdown_it.token import Token

from taskkit import (
    IntervalSchedule,
    InvalidInput,
    Kit,
    Record,
    ScheduleEntriesCompatMapping,
    State,
    TaskRegistry,
    exponential,
)

PROCESSES, THREADS = 2, 16
GROUP = "demo"  # serves its subgroups, so that files, links and progress share the threads
FILES, LINKS, PROGRESS = f"{GROUP}.files", f"{GROUP}.links", f"{GROUP}.progress"
STAND_IN = "TASKKIT_DEMO_STAND_IN"  # how worker processes learn the stand-in's address
FIRST_RETRY = 0.5  # seconds
SHOWN = 40  # broken links in the report; all of them are in the database

# ---- the tasks

tasks = TaskRegistry()


class LinkBroken(Exception):
    """The link leads nowhere, and will not by itself."""


class ServerBusy(Exception):
    """The server does not answer properly now; it may later."""


def host_when_online(root: str, file: str, line: int, target: str) -> str | None:  # noqa: ARG001 - the key function gets all arguments
    """Return the key of a link's lock: a real server is asked by four tasks at a time."""
    return None if STAND_IN in os.environ else urlsplit(target).hostname


@tasks.task(name="extract_links", group=FILES, priority=1)
def extract_links(root: str, file: str) -> int:
    """Find the links of a file and put a task for each."""
    text = Path(root, file).read_text("utf-8", errors="replace")
    links = [(root, file, line, target) for line, target in find_links(text)]
    check_link.options(labels={"file": file[-255:]}).delay_many(links)
    return len(links)


@tasks.task(
    name="check_link",
    group=LINKS,
    retry=exponential(FIRST_RETRY, factor=2, max_retries=3),
    retry_on=ServerBusy,
    lock=host_when_online,
    limit=4,
    timeout=30,
)
def check_link(root: str, file: str, line: int, target: str) -> float:
    """Check one link and return how many seconds that took."""
    began = time.monotonic()
    try:
        if target.lower().startswith(("http:", "https:")):
            check_server(target)
        else:
            check_disk(Path(root), Path(file), target)
    except (LinkBroken, ServerBusy) as error:
        took = time.monotonic() - began
        raise type(error)(f"{file}:{line}: {target}: {error} ({took:.3f} s)") from None
    return time.monotonic() - began


@tasks.task(name="record_progress", group=PROGRESS)
def record_progress() -> dict[str, int]:
    """Count what is in which state. A schedule puts this task every second."""
    return count(tasks.kit)


# ---- checking


def check_disk(root: Path, file: Path, target: str) -> None:
    """Look for a file or folder and, in a Markdown file, for the heading."""
    path, _, anchor = target.partition("#")
    place = unquote(path.partition("?")[0])
    found = root / (place[1:] if place.startswith("/") else file.parent / place)
    if not place:
        found = root / file
    if not found.exists():
        raise LinkBroken("no such file")
    is_markdown = found.is_file() and found.suffix.lower() in {".md", ".markdown"}
    if anchor and is_markdown and unquote(anchor) not in anchors(found, found.stat().st_mtime_ns):
        raise LinkBroken("no such heading")


def check_server(url: str) -> None:
    """Ask the server, or the stand-in, for a page."""
    stand_in = os.environ.get(STAND_IN)
    page = quote(url.partition("#")[0], safe="%/:=&?~+!$,;'@()*[]")
    address = f"{stand_in}/{quote(page, safe='')}" if stand_in else page
    request = Request(address, headers={"User-Agent": "taskkit-link-checker"})  # noqa: S310 - http
    try:
        with urlopen(request, timeout=10):  # noqa: S310 - http
            return
    except HTTPError as error:
        if error.code in {404, 410}:
            raise LinkBroken(f"{error.code} {error.reason}") from None
        if error.code == 429 or error.code >= 500:
            raise ServerBusy(f"{error.code} {error.reason}") from None
        # Anything else is an answer: the page is there, only not for us.
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise ServerBusy(str(error)) from None


class StandIn(BaseHTTPRequestHandler):
    """Answers for all servers: what becomes of a URL depends on nothing but the URL."""

    asked: set[str] = set()  # noqa: RUF012 - shared by all requests on purpose
    lock = Lock()

    def do_GET(self) -> None:
        """Answer after 50 to 300 ms: one URL in ten is gone, one in five fails at first."""
        url = unquote(self.path[1:])
        number = int.from_bytes(sha256(url.encode()).digest()[:8], "big")
        time.sleep(0.050 + number % 251 / 1000)
        with self.lock:
            first = url not in self.asked
            self.asked.add(url)
        fate = number // 251 % 10
        self.send_response(410 if fate == 0 else 503 if fate in {1, 2} and first else 200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is inherited
        """Say nothing: the tasks tell."""


@contextmanager
def stand_in(*, online: bool) -> Iterator[None]:
    """Run the stand-in, and tell the worker processes where, unless the real servers are asked."""
    os.environ.pop(STAND_IN, None)
    if online:
        yield
        return
    ThreadingHTTPServer.request_queue_size = 2 * PROCESSES * THREADS
    with ThreadingHTTPServer(("127.0.0.1", 0), StandIn) as server:
        os.environ[STAND_IN] = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
            del os.environ[STAND_IN]


# ---- reading Markdown


class Tags(HTMLParser):
    """Collects the links and the anchors of HTML inside Markdown."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one tag."""
        for name, value in attrs:
            if value and ((tag, name) in {("a", "href"), ("img", "src")}):
                self.links.append(value)
            elif value and (name == "id" or (tag, name) == ("a", "name")):
                self.anchors.append(value)


def parse(text: str) -> list[Token]:
    """Return the tokens of a text: CommonMark with tables."""
    return MarkdownIt("commonmark").enable("table").parse(text)


def find_links(text: str) -> list[tuple[int, str]]:
    """Return line and target of each link and image that is a path, an anchor or http."""
    lines = text.splitlines()
    found: list[tuple[int, str]] = []
    at = 0
    for block in parse(text):
        at = block.map[0] if block.map else at
        if block.type == "html_block":
            found += [(at, target) for target in Tags(block.content).links]
        line = at
        for token in block.children or ():
            targets = [token.attrs.get("href"), token.attrs.get("src")]
            if token.type == "html_inline":
                targets = [*Tags(token.content).links]
            elif token.type in {"softbreak", "hardbreak"}:
                line += 1
            for target in map(str, filter(None, targets)):
                found.append((line_of(target, line, lines), target))
    return [(line + 1, target) for line, target in found if is_checked(target)]


def line_of(target: str, guess: int, lines: list[str]) -> int:
    """Return the line, at or shortly after the guess, on which the target is written.

    The parser joins the lines of a code span, so that it counts too few behind one. The target of
    a reference stands elsewhere: then the guess is right.
    """
    for line in range(guess, min(guess + 5, len(lines))):
        if target in lines[line] or unquote(target) in lines[line]:
            return line
        if not lines[line].strip():
            break
    return guess


def is_checked(target: str) -> bool:
    """Return whether a target is of a kind that can be checked: not mailto: and the like."""
    return urlsplit(target).scheme.lower() in {"", "http", "https"} and not target.startswith("//")


@lru_cache(maxsize=1000)
def anchors(file: Path, changed: int) -> frozenset[str]:  # noqa: ARG001 - part of the cache's key
    """Return the anchors of a Markdown file, as GitHub makes them from headings."""
    found: Counter[str] = Counter()
    heading = False
    for token in parse(file.read_text("utf-8", errors="replace")):
        heading = token.type == "heading_open" or (heading and token.type != "heading_close")
        if token.type == "html_block":
            found.update(Tags(token.content).anchors)
        for child in token.children or ():
            if child.type == "html_inline":
                found.update(Tags(child.content).anchors)
        if heading and token.type == "inline":
            words = [t.content for t in token.children or () if t.type in {"text", "code_inline"}]
            slug = base = slugify("".join(words))
            while slug in found:
                slug = f"{base}-{found[base]}"
                found[base] += 1
            found[slug] += 1
    return frozenset(found)


def slugify(heading: str) -> str:
    """Return a heading's anchor: lower case, blanks as hyphens, letters, digits, - and _ kept."""
    kept = (c for c in heading.strip().lower() if category(c)[0] in "LMN" or c in "-_ ")
    return "".join(kept).replace(" ", "-")


# ---- running it


def run(
    path: Path | None = None,
    *,
    online: bool = False,
    resume: bool = False,
    database: Path = Path("taskkit-demo.db"),
) -> int:
    """Check the links below ``path``, show how it goes and report; return the exit code."""
    url = f"sqlite:///{database}"
    kit = Kit.connect(url, tasks)
    if not (resume and kit.find(GROUP, subgroups=True, limit=1).records):
        root, files = markdown_files(path)
        forget(kit)
        extract_links.delay_many([(str(root), file) for file in files])
    entries: ScheduleEntriesCompatMapping = {
        "demo": [
            {
                "key": "progress",
                "group": PROGRESS,
                "name": "record_progress",
                "data": {},
                "schedule": IntervalSchedule(every=timedelta(seconds=1)),
            }
        ]
    }
    since, stopped = round(time.time() * 1e6), False
    with stand_in(online=online):
        workers = kit.start_processes(PROCESSES, {GROUP: THREADS}, entries)
        try:
            watch(kit)
        except KeyboardInterrupt:
            stopped = True
            print("\nstopping: the links that are being checked are finished", flush=True)
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.join()
    report(kit, url, since, online=online)
    if stopped:
        print("\nstopped before the end; add --resume to go on")
    return 130 if stopped else 0


def markdown_files(path: Path | None) -> tuple[Path, list[str]]:
    """Return the folder whose links are checked, and its Markdown files relative to it."""
    repository = Path(__file__).resolve().parents[1]
    if path is None and (repository / "docs").is_dir():
        files = [repository / "README.md", *sorted(repository.glob("docs/**/*.md"))]
        return repository, [str(file.relative_to(repository)) for file in files]
    root = (path or Path()).resolve()
    if root.is_file():
        return root.parent, [root.name]
    found = [file.relative_to(root) for file in sorted(root.rglob("*.md"))]
    names = [
        str(file)
        for file in found
        if not any(part.startswith(".") or part == "node_modules" for part in file.parts)
    ]
    if not names:
        raise InvalidInput(f"no Markdown file (*.md) in {root}; say where: taskkit demo PATH")
    return root, names


def forget(kit: Kit) -> None:
    """Delete the tasks of earlier runs, and nothing else that the file may hold."""
    while records := kit.find(GROUP, subgroups=True, limit=1000).records:
        kit.backend.delete([record.task.id for record in records])


def count(kit: Kit) -> dict[str, int]:
    """Return how many files and links are in which state: ``{"links running": 3}``."""
    return {
        f"{found.group.removeprefix(GROUP + '.')} {found.state}": found.count
        for found in kit.stats([FILES, LINKS]).counts
    }


def of(counts: dict[str, int], group: str) -> dict[str, int]:
    """Return the counts of one group by state."""
    return {key.split()[1]: n for key, n in counts.items() if key.split()[0] == group}


def is_done(counts: dict[str, int]) -> bool:
    """Return whether nothing is left to do: a file's links are put before it is finished."""
    return all(State(key.split()[1]).finished for key in counts)


def watch(kit: Kit) -> None:
    """Show the progress until everything is done: a line a second where nobody looks."""
    if sys.stdout.isatty():
        watch_live(kit)
        return
    shown = 0.0
    while not is_done(counts := count(kit)):
        if time.monotonic() - shown >= 1:
            shown = time.monotonic()
            print(", ".join(f"{key}: {n}" for key, n in counts.items()), flush=True)
        time.sleep(0.05)


def watch_live(kit: Kit) -> None:
    """Show the progress in a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    notes = TextColumn("{task.fields[note]}")
    with Progress(TextColumn("[bold]{task.description}"), *columns, notes) as progress:
        bars = {name: progress.add_task(name, total=None, note="") for name in ("files", "links")}
        done = False
        while not done:
            counts = count(kit)
            done = is_done(counts)
            for group, bar in bars.items():
                states = of(counts, group)
                finished = sum(n for state, n in states.items() if State(state).finished)
                noted = {"running": "running", "waiting": "to be retried", "failed": "broken"}
                note = " · ".join(f"{states[s]} {word}" for s, word in noted.items() if s in states)
                progress.update(bar, completed=finished, total=sum(states.values()), note=note)
            time.sleep(0.05)


# ---- the report


def report(kit: Kit, url: str, since: int, *, online: bool) -> None:
    """Print what was found, how fast that went, and how to look into it.

    Speed is that of this run, since the instant ``since``; what was found is of all runs that
    ``--resume`` has joined.
    """
    # By their data: a worker that died while it put a file's links had them put once more.
    links = {record.task.data: record for record in every_record(kit, LINKS)}.values()
    files, progress = every_record(kit, FILES), every_record(kit, PROGRESS)
    broken = [record for record in (*files, *links) if record.state is State.FAILED]
    for record in sorted(broken, key=place)[:SHOWN]:
        print(f"broken  {record.failure.message if record.failure else record.task.id}")
    if len(broken) > SHOWN:
        print(f"broken  … and {len(broken) - SHOWN} more")
    print(f"\nfiles: {len(files)}, links: {len(links)}, broken: {len(broken)}", end="")
    print("" if online else " (a stand-in answered for all servers)", end="")
    print(f", retries: {sum(record.task.retry_count for record in links)}")
    print_speed([r for r in (*files, *links) if r.done and (r.began or 0) >= since], since)
    print(f"progress was recorded {len(progress)} times by the schedule")
    print(f"\nThe tasks are in {url.removeprefix('sqlite:///')}. Look into it:")
    print(f"  {taskkit()} stats --url {url}")
    print(f"  {taskkit()} tasks list --url {url} --group {LINKS} --state failed")
    shown = broken[0] if broken else next(iter(links), None)
    if shown:
        print(f"  {taskkit()} tasks show --url {url} '{shown.task.id}'")


def taskkit() -> str:
    """Return how to call taskkit from here: its environment may not be on the path."""
    program = Path(sys.argv[0]).absolute()
    if program.name != "taskkit":
        return f"{sys.executable} -m taskkit"
    return str(program.relative_to(Path.cwd())) if Path.cwd() in program.parents else "taskkit"


def print_speed(done: Sequence[Record], since: int) -> None:
    """Print rate, latency, and how close to ideal the run came."""
    if len(done) < 2:
        return
    took = (max(r.done or 0 for r in done) - min(a.began for r in done for a in r.history)) / 1e6
    latencies = [((r.done or 0) - max(r.task.created, since)) / 1e6 for r in done]
    cuts = quantiles(latencies, n=20, method="inclusive")
    # Nothing can be faster than all threads busy all the time, nor than its longest task with
    # its retries and the pauses between them.
    work = [sum(seconds(record)) for record in done]
    longest = max(
        busy + sum(FIRST_RETRY * 2**n for n in range(record.task.retry_count))
        for busy, record in zip(work, done, strict=True)
    )
    ideal = max(sum(work) / (PROCESSES * THREADS), longest)
    print(f"{len(done) / took:.0f} tasks/s: {len(done)} tasks in {took:.2f} s", end="; ")
    print(f"from put to done p50 {cuts[9]:.2f} s, p95 {cuts[18]:.2f} s")
    print(f"{ideal / took:.0%} of the ideal speed of {PROCESSES} × {THREADS} threads: ", end="")
    print(f"{sum(work):.1f} s of work, at best {ideal:.2f} s")


def seconds(record: Record) -> Iterator[float]:
    """Yield how long each attempt at a link worked; from claim to end it may also have waited."""
    if record.result is not None and record.task.group == LINKS:
        yield float(record.result)
    for attempt in record.history:
        found = re.search(r"\((\S+) s\)$", attempt.failure.message if attempt.failure else "")
        if found:
            yield float(found[1])


def place(record: Record) -> tuple[str, int]:
    """Return the file, or the file and line of the link, that a task is about: to sort by."""
    arguments = json.loads(record.task.data)
    return arguments["file"], arguments.get("line", 0)


def every_record(kit: Kit, group: str) -> list[Record]:
    """Return all tasks of a group, page by page."""
    records: list[Record] = []
    after = None
    while True:
        page = kit.find(group, limit=500, after=after)
        records += page.records
        after = page.next
        if after is None:
            return records


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]) if sys.argv[1:] else None))
