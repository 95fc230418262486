"""What the worker's log says of tasks: that they failed, and where to read why."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from taskkit.plugins import hookimpl

if TYPE_CHECKING:
    from taskkit.records import Claim
    from taskkit.task import Failure

_log = logging.getLogger("taskkit.django")


class FailureLog:
    """The plugin of a kit that logs tasks that failed for good.

    Not their arguments, messages and tracebacks, which may hold what is nobody's business: those
    are in the admin, for whom permissions let see them. Of Django's tasks Django logs all itself.
    """

    @hookimpl
    def taskkit_failure(self, claim: Claim, failure: Failure) -> None:
        """Write one line."""
        from taskkit_django.tasks.handler import PREFIX

        if not claim.task.name.startswith(PREFIX):
            kind = failure.type.rpartition(".")[2]
            _log.error("%s failed: %s (%s)", claim.task.name, kind, claim.task.id)
