"""Every promise of a backend, tested on this one."""

import tempfile

from taskkit_conformance import conformance

TestFileStore = conformance(
    "filestore", url=lambda: f"filestore://{tempfile.mkdtemp()}/{{namespace}}"
)
