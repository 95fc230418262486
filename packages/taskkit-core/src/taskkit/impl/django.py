"""``from taskkit.impl.django import make_kit``: needs taskkit-django."""

from __future__ import annotations

from taskkit_django.kit import make_kit

__all__ = ["make_kit"]
