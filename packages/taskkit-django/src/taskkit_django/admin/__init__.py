"""taskkit in Django's admin. ``admin.site`` gets it by itself; another site by ``register``."""

from __future__ import annotations

from django.contrib import admin

from taskkit_django.admin import groups, schedules, summary, tasks, workers


def register(site: admin.AdminSite) -> None:
    """Have a site of the admin show tasks, groups, schedules and workers."""
    tasks.register(site)
    summary.register(site)
    groups.register(site)
    schedules.register(site)
    workers.register(site)


register(admin.site)
