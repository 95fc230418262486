"""Start of the ``taskkit`` command: reads the line, runs the command, turns errors into a line.

Exit codes: 0 done, 1 it could not be done, 2 what was typed or set cannot be understood.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence

from taskkit.cli.parser import make_parser
from taskkit.errors import InvalidInput, TaskkitError, WorkerStartFailed

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that ``arguments`` (or the process's own) ask for; return the exit code."""
    parser = make_parser()
    namespace = parser.parse_args(arguments)
    if namespace.run is None:
        namespace.parser.print_help()
        return 2
    module, _, name = namespace.run.partition(":")
    # Each command is imported when it is run, so that `--help` costs no more than argparse.
    run: Callable[..., int] = getattr(importlib.import_module(module), name)
    try:
        code = run(namespace)
        sys.stdout.flush()
    except (InvalidInput, WorkerStartFailed) as error:
        return _complain(error, 2)
    except TaskkitError as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output (`| head`) has seen enough. Python would complain once more
        # when it flushes at exit, so the flush goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _complain(error: TaskkitError, code: int) -> int:
    print(f"taskkit: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
