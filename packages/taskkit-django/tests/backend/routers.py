"""Routers of the tests of this folder."""

from django.db import connections


class Nowhere:
    def allow_migrate(self, db, app_label, **hints):
        return False if app_label == "taskkit" else None


class ToLast:
    def db_for_write(self, model, **hints):
        return list(connections.settings)[-1] if model._meta.app_label == "taskkit" else None

    db_for_read = db_for_write
