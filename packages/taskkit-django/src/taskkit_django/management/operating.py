"""What commands that look and operate have in common."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from taskkit.errors import TaskkitError


class OperatingCommand(BaseCommand):
    """A command that tells in a line what is wrong, such as tables that are not there."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command.

        Raises:
            CommandError: what taskkit says of the store or of what was asked for.
        """
        try:
            return super().execute(*args, **options)
        except TaskkitError as error:
            raise CommandError(str(error)) from error
