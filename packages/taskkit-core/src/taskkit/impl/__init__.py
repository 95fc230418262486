"""Where earlier programs look for ``make_kit`` of a store: ``impl.redis``, ``impl.django``."""
