"""The proof: a suite that anyone can run against any taskkit backend."""

from __future__ import annotations
