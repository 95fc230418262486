"""``from taskkit.impl.redis import make_kit``: needs taskkit-redis."""

from __future__ import annotations

from typing import Any

from taskkit.handler import TaskHandler
from taskkit.kit import Kit
from taskkit_redis.clients import backend_of


def make_kit(redis: Any, handler: TaskHandler, **options: Any) -> Kit:
    """Return a kit on the server of a redis-py client.

    The client itself is neither used nor changed: the kit makes connections of its own, with its
    address and login.

    Args:
        redis: A ``redis.Redis`` or ``redis.RedisCluster``.
        handler: What the tasks mean.
        options: Those of ``taskkit.connect("redis", …)``, such as ``prefix``.

    Raises:
        InvalidSetting: it is another kind of client, or an option is not understood.
    """
    return Kit(backend_of(redis, **options), handler)


__all__ = ["make_kit"]
