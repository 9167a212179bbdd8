"""The container file and the unit for systemd are read: what they start, as whom, with what they copy, and how they end."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from tts_fm.commands import app

ROOT = Path(__file__).parents[1]
CONTAINER = (ROOT / "deploy/Containerfile").read_text(encoding="utf-8")
UNIT = (ROOT / "deploy/tts-fm.service").read_text(encoding="utf-8")
PROGRAM = "/opt/tts-fm/bin/tts-fm"


def options() -> set[str]:
    """Every option that ``tts-fm serve`` knows."""
    command = get_command(app)
    assert isinstance(command, TyperGroup)
    return {name for param in command.commands["serve"].params for name in param.opts}


def value(name: str) -> str:
    """What a line of the unit says."""
    (found,) = re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    return found


def test_both_start_the_server_with_options_that_it_has() -> None:
    (entry,) = re.findall(r"^ENTRYPOINT \[(.*)\]$", CONTAINER, re.MULTILINE)
    for words in (re.findall(r'"([^"]*)"', entry), value("ExecStart").split()):
        assert words[0].rpartition("/")[2] == "tts-fm" and words[1] == "serve"
        assert {word for word in words if word.startswith("--")} <= options()


def test_the_container_copies_and_installs_what_is_there() -> None:
    for copied in re.findall(r"^COPY (?!--from)(.*) \S+$", CONTAINER, re.MULTILINE):
        assert all((ROOT / name).exists() for name in copied.split()), copied
    (extras,) = re.findall(r"install .*'\.\[(.*)\]'", CONTAINER)
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(extras.split(",")) <= set(known)
    assert (ROOT / "tts_fm/voices/default/model.safetensors").exists()  # inside of what is copied


def test_the_container_is_nobody_in_particular_and_asks_for_its_health() -> None:
    *_, last = CONTAINER.split("\nFROM ")
    (user,) = re.findall(r"^USER (\d+)$", last, re.MULTILINE)
    assert int(user) > 0 and f"--uid {user} " in last
    (check,) = re.findall(r'CMD \["python", "-c", "(.*)"\]', last)
    compile(check, "HEALTHCHECK", "exec")
    assert "/health" in check and "STOPSIGNAL SIGTERM" in last


def test_without_a_key_what_the_container_starts_ends_at_once() -> None:
    (entry,) = re.findall(r"^ENTRYPOINT \[(.*)\]$", CONTAINER, re.MULTILINE)
    _, *arguments = re.findall(r'"([^"]*)"', entry)
    command = [sys.executable, "-m", "tts_fm.commands", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, timeout=300)
    assert done.returncode == 2 and "--api-key" in done.stderr


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    copy = tmp_path / "tts-fm.service"
    copy.write_text(UNIT.replace(PROGRAM, "/bin/true"), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert value("ExecStart").split()[0] == PROGRAM and value("DynamicUser") == "yes"
