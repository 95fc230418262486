"""``python -m taskkit`` is ``taskkit``."""

from __future__ import annotations

import sys

from taskkit.cli.main import main

# Guarded, because a worker process started by "spawn" imports its parent's main module again.
if __name__ == "__main__":
    sys.exit(main())
