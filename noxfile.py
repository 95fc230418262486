"""What can be done with the workspace; ``python3 dev.py`` installs nox and calls it.

Each session has an environment of its own, made by uv where it is installed, else by virtualenv
and pip. Versions come from requirements.lock.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False  # skipped with a line, in CI too
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "build", "tests"]

ROOT = Path(__file__).parent
PACKAGES = {
    "core": "packages/taskkit-core",
    "relational": "packages/taskkit-relational",
    "sql": "packages/taskkit-sql",
    "redis": "packages/taskkit-redis",
    "django": "packages/taskkit-django",
    "conformance": "conformance",
}
SQL = (PACKAGES["relational"], PACKAGES["sql"])
SERVED = (PACKAGES["relational"], f"{PACKAGES['sql']}[postgres,mysql]")
"""With the drivers of servers."""
REDIS = f"{PACKAGES['redis']}[hiredis]"
DJANGO = f"{PACKAGES['django']}[postgres,mysql,tasks-backport]"
SOURCES = [f"{path}/src" for path in PACKAGES.values()]
CONSTRAINTS = ["-c", "requirements.lock"]
PYPROJECT = nox.project.load_toml("pyproject.toml")
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = sorted({"3.11", "3.12", "3.13", RUNNING}, key=lambda version: int(version[2:]))


def reveal_pyenv_versions() -> None:
    """Put all that pyenv has on the path: its shims answer only for the versions it has chosen."""
    pyenv = shutil.which("pyenv")
    if pyenv is None:
        return
    root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False).stdout
    folders = Path(root.strip(), "versions").glob("3.*/bin")
    # Behind the rest of the path, but before the shims, which hide what stands behind them.
    before = os.environ["PATH"].split(os.pathsep)
    after = [entry for entry in before if entry.endswith("shims")]
    before = [entry for entry in before if entry not in after]
    os.environ["PATH"] = os.pathsep.join([*before, *map(str, sorted(folders)), *after])


def is_installed(version: str) -> bool:
    """Return whether this Python can be started."""
    if version == RUNNING:
        return True
    python = shutil.which(f"python{version}")
    if python is None:
        return False
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


reveal_pyenv_versions()
OLDEST = next(version for version in PYTHONS if is_installed(version))


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group of the root."""
    return nox.project.dependency_groups(PYPROJECT, name)


def install(session: nox.Session, *packages: str, groups: tuple[str, ...] = ()) -> None:
    """Install packages of the workspace, editable, and dependency groups."""
    requirements = [requirement for name in groups for requirement in group(name)]
    editables = [part for package in packages for part in ("-e", package)]
    session.install("-q", *CONSTRAINTS, *editables, *requirements)


@nox.session
def demo(session: nox.Session) -> None:
    """Run the link checker on two worker processes and a SQLite file."""
    install(session, "packages/taskkit-core[demo]", *SQL)
    # The workers finish what they run after Ctrl-C; nox would kill them after half a second.
    session.run("taskkit", "demo", *session.posargs, interrupt_timeout=60, terminate_timeout=30)


NEWEST = next(version for version in reversed(PYTHONS) if is_installed(version))
ENDS = sorted({OLDEST, NEWEST})


@nox.session
@nox.parametrize(
    "python,package",
    [
        *((python, "core") for python in PYTHONS),
        # Each Python has a Django of its own. With it the rules on rows are tested on the newest,
        # too; to try all drivers there as well would not be worth its time. The pages' browser, a
        # million rows and new projects are tried on the newest only; ``whole`` has the oldest.
        *((python, "django") for python in ENDS),
        (OLDEST, "sql"),
        (OLDEST, "redis"),
        (OLDEST, "conformance"),
        (OLDEST, "proofs"),
        (OLDEST, "whole"),
    ],
)
def tests(session: nox.Session, package: str) -> None:
    """Test one package on one Python, installed without the others; or the whole system.

    ``core``, ``sql`` (with the rules on rows), ``redis``, ``django`` and ``conformance`` run the
    own tests of a package; ``proofs`` runs the conformance suite, quickly, on every store that is
    here; ``whole`` runs what crosses packages: acceptance, examples, the code blocks of the docs.
    """
    split = ["-n", "2"]
    # A file's tests in one process: a shop and millions of rows are made for all of them once, and
    # the blocks of a page build on each other.
    by_file = [*split, "--dist", "loadfile"]
    env: dict[str, str] = {}
    proof = PACKAGES["conformance"]
    if package == "core":
        install(session, "packages/taskkit-core[reload]", groups=("test",))
        paths = ["packages/taskkit-core/tests"]
    elif package == "sql":
        install(session, PACKAGES["core"], *SERVED, proof, groups=("test",))
        paths = ["packages/taskkit-relational/tests", "packages/taskkit-sql/tests"]
    elif package == "redis":
        install(session, PACKAGES["core"], REDIS, proof, groups=("test",))
        paths, split = ["packages/taskkit-redis/tests"], []
    elif package == "django":
        own = (PACKAGES["core"], PACKAGES["relational"], DJANGO, proof)
        install(session, *own, groups=("test", "django"))
        paths, split = ["packages/taskkit-django/tests"], by_file
        if session.python != NEWEST:
            split = [*split, "-m", "not slow"]
        # Where the settings' module is: processes of pytest-xdist look for it before conftest.py.
        env["PYTHONPATH"] = str(ROOT / paths[0])
    elif package == "conformance":
        install(session, *SERVED, PACKAGES["core"], proof, groups=("test",))
        paths = ["conformance/tests"]
    elif package == "proofs":
        install(session, *SERVED, REDIS, DJANGO, PACKAGES["core"], proof, groups=("test", "django"))
        session.run("python", "tests/proofs.py")
        return
    else:
        core = "packages/taskkit-core[cli,demo,reload]"
        own = (core, *SERVED, REDIS, DJANGO, proof)
        install(session, *own, groups=("test", "django", "examples"))
        paths, split = ["tests/acceptance", "tests/docs", "tests/examples", "docs"], by_file
    session.run("pytest", *split, *paths, *session.posargs, env=env)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run all tests once, in one environment, and report what they do not reach."""
    install(
        session,
        "packages/taskkit-core[cli,demo,reload]",
        *(*SERVED, REDIS, DJANGO, PACKAGES["conformance"]),
        groups=("test", "django", "examples", "coverage"),
    )
    session.run("coverage", "erase")
    session.run(*("coverage", "run", "-m", "pytest", "--ignore", "tests/faults", *session.posargs))
    session.run("coverage", "combine", "-q")
    session.run("coverage", "report")


@nox.session
def conformance(session: nox.Session) -> None:
    """Prove all stores, or those named: ``-- redis postgres -- --profile thorough``.

    ``-- --all --reports DIR`` for what ``taskkit-conformance merge DIR/*`` makes one matrix of.
    """
    own = (PACKAGES["core"], *SERVED, REDIS, DJANGO, PACKAGES["conformance"])
    install(session, *own, groups=("test", "django"))
    session.run("python", "tests/proofs.py", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Prove the conformance suite: its checks find every mutant; ``-- --seeds 20`` for the whole.

    Takes some minutes. Writes conformance/tests/mutants/matrix.md; with ``-- --groups`` what is
    missing in groups.md: which groups of properties find each mutant.
    """
    install(session, *SERVED, PACKAGES["core"], PACKAGES["conformance"], groups=("test",))
    with session.chdir("conformance/tests"):
        session.run("python", "-W", "ignore", "-m", "mutants.matrix", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Kill servers, connections and workers under load, on PostgreSQL, MariaDB and Redis.

    Takes some minutes, and needs a machine that does nothing else: how soon workers are back is
    measured, and said.
    """
    install(session, PACKAGES["core"], *SERVED, REDIS, PACKAGES["conformance"], groups=("test",))
    session.run("pytest", "tests/faults", "--log-cli-level", "INFO", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Look for faults that need no test to be seen."""
    install(
        session,
        "packages/taskkit-core[cli,demo,reload]",
        *(*SERVED, REDIS, DJANGO, PACKAGES["conformance"]),
        groups=("lint",),
    )
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")
    session.run("codespell")
    for path in PACKAGES.values():
        with session.chdir(path):
            session.run("deptry", "src")
    session.run("towncrier", "build", "--draft", "--version", "check", silent=True)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the packages and of what their users write."""
    install(
        session,
        "packages/taskkit-core[cli,demo,reload]",
        *(*SERVED, REDIS, DJANGO, PACKAGES["conformance"]),
        groups=("types", "test", "django", "examples"),
    )
    typing_tests = [str(path) for path in sorted(ROOT.glob("packages/*/typing_tests"))]
    # Without Django's plugin for mypy a plain project cannot be told from an untyped one.
    session.run("mypy", *SOURCES, "examples", "--exclude", "examples/django/")
    for path in typing_tests:
        session.run("mypy", path)
    session.run("pyright")


@nox.session
def build(session: nox.Session) -> None:
    """Build the distributions, and use the wheels as somebody does who has only them."""
    session.install("-q", *CONSTRAINTS, *group("build"))
    with tempfile.TemporaryDirectory() as scratch:
        wheels = Path(scratch, "wheels")
        for path in PACKAGES.values():
            session.run(*BUILD, "--outdir", str(wheels), path, silent=True)
        files = sorted(map(str, wheels.iterdir()))
        session.run("check-wheel-contents", *(file for file in files if file.endswith(".whl")))
        session.run("twine", "check", "--strict", *files)
        for wheel in wheels.glob("taskkit_conformance-*.whl"):
            wheel.unlink()  # with it the environment would not be a user's; `stranger` tries it
        empty = install_wheels(session, wheels, Path(scratch, "empty"))
        python = str(empty / "bin" / "python")
        session.run(python, "-I", str(ROOT / "tests" / "smoke.py"), external=True)


BUILD = ("python", "-m", "build", "--no-isolation")
"""The one build backend is in the session's environment; else it would be installed each time."""


def install_wheels(session: nox.Session, wheels: Path, place: Path) -> Path:
    """Make an environment that holds wheels and what they need, and return it."""
    session.run("virtualenv", "-q", str(place))
    session.run(
        *(str(place / "bin" / "python"), "-m", "pip", "install", "-q"),
        *("--disable-pip-version-check", *CONSTRAINTS, *map(str, sorted(wheels.glob("*.whl")))),
        external=True,
    )
    return place


@nox.session
def stranger(session: nox.Session) -> None:
    """Prove the example backend as a stranger would: from wheels, in an empty environment."""
    session.install("-q", *CONSTRAINTS, *group("build"))
    # The example syncs its file at each change, which on a disk takes milliseconds each time.
    memory = Path("/dev/shm")  # noqa: S108 - the folder in it is made by tempfile
    fast = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(dir=fast) as store, tempfile.TemporaryDirectory() as scratch:
        wheels, folder = Path(scratch, "wheels"), Path(scratch, "folder")
        for path in (PACKAGES["core"], PACKAGES["conformance"], "examples/custom-backend"):
            session.run(*BUILD, "--wheel", "--outdir", str(wheels), path, silent=True)
        place = install_wheels(session, wheels, Path(scratch, "empty"))
        shutil.copytree(ROOT / "examples/custom-backend/tests", folder)
        with session.chdir(folder):
            session.run(
                *(str(place / "bin" / "pytest"), "-q", "--taskkit-property", "ORD-03"),
                *("--taskkit-lanes", "model"),
                env={"TMPDIR": store},
                external=True,
            )
            session.run(
                *(str(place / "bin" / "taskkit-conformance"), "filestore"),
                *("--url", f"filestore://{store}/{{namespace}}", *session.posargs),
                external=True,
            )


@nox.session
def lock(session: nox.Session) -> None:
    """Resolve all dependencies anew and write them down.

    uv.lock stays local: it names the registry that it was made with, and yours is another.
    """
    session.install("-q", "uv")
    session.run("uv", "lock", "--upgrade", "-q")
    session.run(
        *("uv", "export", "-q", "--all-packages", "--all-extras", "--all-groups"),
        *("--no-hashes", "--no-emit-workspace", "--no-header", "-o", "requirements.lock"),
        silent=True,
    )
