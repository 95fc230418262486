"""taskkit in Django: tasks in the project's own database and transactions.

From the outside in: ``apps`` and ``checks`` are what Django meets first, ``settings`` is what
``TASKKIT`` means, ``kit`` makes the project's kit of it, ``registry`` holds ``@task`` functions and
``handler`` gives every name its meaning (``calls``, ``tasks`` and ``celery`` those of Django's own
tasks and of the Celery-style API). ``backend`` keeps tasks on Django's own connections;
``models`` shows its tables to the ORM and the admin. ``tending`` closes connections around tasks,
``testing`` runs tasks in tests.
"""

from __future__ import annotations

from taskkit_django.registry import task

__all__ = ["task"]
