"""The whole shop by one command: ``python demo.py [PORT]``. Ctrl-C stops it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import django
from django.core.management import call_command

HERE = Path(__file__).parent
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
sys.path.insert(0, str(HERE))


def main(port: str = "8000") -> None:
    """Make the database, put some tasks, then run the site and a worker side by side."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the worker is stopped, too
    os.chdir(HERE)
    os.environ["PYTHONPATH"] = f"{HERE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("demo_data")
    print(f"the shop: http://127.0.0.1:{port}/  its admin (admin, admin): …/admin/", flush=True)
    worker = subprocess.Popen([sys.executable, "manage.py", "taskkit_worker"])
    try:
        call_command("runserver", f"127.0.0.1:{port}", "--noreload")
    except KeyboardInterrupt:
        pass
    finally:
        worker.terminate()
        # A second signal is the worker's: what still runs is given back, not finished.
        signal.signal(signal.SIGTERM, lambda *_: worker.terminate())
        worker.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
