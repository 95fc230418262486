"""A project as small as it can be."""

SECRET_KEY = "of the tests"
USE_TZ = True
TIME_ZONE = "Europe/Berlin"
INSTALLED_APPS = ["taskkit_django"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
TASKKIT = {}
TASKS = {
    "default": {"BACKEND": "taskkit_django.tasks.TaskkitBackend", "QUEUES": []},
    "other": {"BACKEND": "taskkit_django.tasks.TaskkitBackend", "QUEUES": ["default", "mail"]},
}
