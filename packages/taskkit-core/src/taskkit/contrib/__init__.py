"""Where earlier programs look for the Django app: ``taskkit.contrib.django``."""
