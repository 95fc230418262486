"""``"taskkit.contrib.django"`` in ``INSTALLED_APPS``: the same as ``"taskkit_django"``."""
