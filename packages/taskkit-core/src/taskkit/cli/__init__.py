"""The ``taskkit`` command. ``parser`` says what can be typed, the other files do it."""
