"""The parts of what is checked: ``nox -s PART ...``; with ``--no-venv`` in the environment that is active."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nox

nox.options.sessions = ["lint", "docs", "tests"]
nox.options.reuse_existing_virtualenvs = True


def install(session: nox.Session, *what: str) -> None:
    """Install with pip, into the session's environment or, without one, into the active one."""
    session.run("python", "-m", "pip", "install", "-q", *what, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Format, lints, floors of imports, types."""
    install(session, ".[dev]")
    for command in ("ruff format --check .", "ruff check .", "lint-imports", "pyright"):
        session.run(*command.split(), external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site; a warning is an error."""
    install(session, ".[docs]")
    session.run("zensical", "build", "--clean", "--strict", external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """The quick tests."""
    install(session, ".[test]")
    session.run("pytest", *session.posargs, external=True)


@nox.session
def slow(session: nox.Session) -> None:
    """The long tests."""
    install(session, ".[test,docs]")
    session.run("pytest", "-m", "slow", *session.posargs, external=True)


@nox.session
def browser(session: nox.Session) -> None:
    """The page in the system's chromium."""
    install(session, ".[test-browser]")
    session.run("pytest", "-m", "browser", *session.posargs, external=True)


@nox.session
def clients(session: nox.Session) -> None:
    """Real clients against a running server, each in an environment of its own."""
    install(session, ".[test,av]")
    session.run("pytest", "-m", "clients", *session.posargs, external=True)


@nox.session
def package(session: nox.Session) -> None:
    """Build what is released, check it, and speak with the wheel, installed, from another folder."""
    install(session, "build", "twine")
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "build", "--outdir", folder, external=True)
        built = sorted(Path(folder).iterdir())
        session.run("twine", "check", "--strict", *map(str, built), external=True)
        (wheel,) = Path(folder).glob("*.whl")
        install(session, str(wheel))
        install(session, "--force-reinstall", "--no-deps", str(wheel))
        with session.chdir(folder):
            session.run("tts-fm", "synthesize", "--text", "From the wheel.", "--output", "wheel.wav", external=True)
        Path("dist").mkdir(exist_ok=True)
        for file in built:
            (Path("dist") / file.name).write_bytes(file.read_bytes())


@nox.session
def lock(session: nox.Session) -> None:
    """Write requirements.lock anew: every version of every extra with its hashes, and no host."""
    install(session, "uv")
    options = "--all-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet"
    session.run("uv", "pip", "compile", "pyproject.toml", *options.split(), "-o", "requirements.lock", external=True)


@nox.session
def audit(session: nox.Session) -> None:
    """Look up the locked versions among known weaknesses; this asks the index."""
    install(session, "pip-audit")
    session.run("pip-audit", "--disable-pip", "--require-hashes", "-r", "requirements.lock", external=True)
