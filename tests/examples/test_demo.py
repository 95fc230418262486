"""``taskkit demo`` on a small folder: what it reports is right, and it can be interrupted."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.timeout(60)  # several processes start, on machines with other work too

TASKKIT = [sys.executable, "-m", "taskkit"]
URLS = [f"http://host{n}.example/page" for n in range(60)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two pages: five links on disk of which two are broken, and sixty http links."""
    links = "\n".join(f"* [{n}]({url})" for n, url in enumerate(URLS))
    (tmp_path / "a.md").write_text(
        "# A\n\n[b](b.md#b) [self](#a)\n[gone](gone.md)\n\n[anchor](b.md#nowhere) [c](c.txt)\n"
    )
    (tmp_path / "b.md").write_text(f"# B\n\n{links}\n")
    (tmp_path / "c.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def states():
    listed = subprocess.run(
        [*TASKKIT, "stats", "--url", "sqlite:///taskkit-demo.db", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    counts = json.loads(listed.stdout)["counts"]
    return {(c["group"], c["state"]): c["count"] for c in counts}


def test_report_is_right(folder):
    done = subprocess.run([*TASKKIT, "demo", "."], capture_output=True, text=True, check=True)
    report = done.stdout
    assert "broken  a.md:4: gone.md: no such file (" in report
    assert "broken  a.md:6: b.md#nowhere: no such heading (" in report
    lines = (folder / "b.md").read_text().splitlines()
    gone = re.findall(r"^broken  b\.md:(\d+): (\S+): 410 Gone ", report, re.M)
    assert gone, "the stand-in lets one URL in ten be gone"
    assert all(url in lines[int(line) - 1] for line, url in gone)
    counted = re.search(
        r"^files: (\d+), links: (\d+), broken: (\d+).*, retries: (\d+)$", report, re.M
    )
    files, links, broken, retries = map(int, counted.groups())
    assert (files, links, broken) == (2, 65, 2 + len(gone))
    assert retries > 0
    assert re.search(r"^\d+ tasks/s: 67 tasks in .* p50 \d", report, re.M)
    assert re.search(r"^\d+% of the ideal speed of 2 × 16 threads", report, re.M)
    assert re.search(r"^progress was recorded \d+ times", report, re.M)
    found = states()
    assert found["demo.links", "failed"] == broken
    assert found["demo.links", "succeeded"] == links - broken
    commands = re.findall(r"^  (.+ -m taskkit .+)$", report, re.M)
    assert len(commands) == 3
    for command in commands:
        subprocess.run(shlex.split(command), stdout=subprocess.DEVNULL, check=True)


def test_interrupted_and_resumed(folder):
    many = "\n".join(f"<http://host{n}.example/>\n" for n in range(2500))  # ten seconds of work
    (folder / "many.md").write_text(many)
    process = subprocess.Popen(
        [*TASKKIT, "demo", "."],
        stdout=subprocess.PIPE,
        text=True,
        # Ignored in what a shell runs in the background, these tests perhaps, and so inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 15
    while not (folder / "taskkit-demo.db").exists() or not states().get(
        ("demo.links", "succeeded")
    ):
        assert time.monotonic() < deadline
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    report, _ = process.communicate(timeout=15)
    assert process.returncode == 130
    assert "--resume" in report
    before = states()
    assert before.get(("demo.links", "running"), 0) == 0
    done = subprocess.run(
        [*TASKKIT, "demo", ".", "--resume"], capture_output=True, text=True, check=True
    )
    assert "files: 3, links: 2565, " in done.stdout
    again = subprocess.run([*TASKKIT, "demo", "a.md"], capture_output=True, text=True, check=True)
    assert "files: 1, links: 5, broken: 2" in again.stdout


def test_folder_without_markdown_is_a_line(folder):
    (folder / "empty").mkdir()
    done = subprocess.run([*TASKKIT, "demo", "empty"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("taskkit: no Markdown file (*.md) in ")
    assert done.stderr.count("\n") == 1
