"""The pytest plugin: options, items, header, verdicts. Inert where no check is collected."""

from __future__ import annotations
