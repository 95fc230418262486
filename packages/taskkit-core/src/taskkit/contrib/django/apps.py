"""Where Django looks for the app."""

from __future__ import annotations

from taskkit_django.apps import TaskkitConfig

__all__ = ["TaskkitConfig"]
