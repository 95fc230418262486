"""Django's settings for all tests of this folder, and kits on stores that need no server."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import django
import pytest

# Test modules are imported by path; what they and Django share needs a name.
sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup()


@pytest.fixture
def memory(settings):
    """The project's kit, on a store in memory."""
    settings.TASKKIT = {"KIT": "project.kits.in_memory"}
    from taskkit_django.kit import kit

    return kit()


@pytest.fixture
def work(memory):
    """Run what is queued, here and now; return when nothing is."""

    def run():
        groups = {count.group for count in memory.backend.count()}
        with memory.running(
            dict.fromkeys(groups or {"default"}, 2), poll=0.1, drain=True
        ) as worker:
            worker.wait()

    return run
