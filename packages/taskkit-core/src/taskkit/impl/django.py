"""``from taskkit.impl.django import make_kit``: needs taskkit-django."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taskkit_django.kit import make_kit as make_projects_kit

if TYPE_CHECKING:
    from taskkit.handler import TaskHandler
    from taskkit.kit import Kit

__all__ = ["make_kit"]


def make_kit(
    handler: TaskHandler,
    use_queue_table: bool = True,  # noqa: ARG001 - as the first taskkit had it
    **options: Any,
) -> Kit:
    """Make a kit with a handler of your own on the project's database.

    Args:
        handler: What tasks mean.
        use_queue_table: Of the tables of the first taskkit; means nothing to those of today.
        options: See ``taskkit_django.kit.make_kit``.
    """
    return make_projects_kit(handler, **options)
