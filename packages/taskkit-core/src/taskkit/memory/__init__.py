"""The memory backend: a store that lives in one process."""

from taskkit.memory.backend import MemoryBackend

__all__ = ["MemoryBackend"]
