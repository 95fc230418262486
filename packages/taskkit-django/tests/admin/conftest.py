"""The admin on tables full of tasks."""

import pytest


@pytest.fixture
def kit(db, settings):
    """The project's kit, on the tables of the test's own transaction."""
    settings.TASKKIT = {"KIT": "project.kits.in_transaction"}
    from taskkit_django.kit import kit

    return kit()


@pytest.fixture
def browse(admin_client):
    """Ask for a page of the admin by the name of a model."""

    def ask(model, path="", **parameters):
        return admin_client.get(f"/admin/taskkit/{model}/{path}", parameters, follow=True)

    return ask
