"""Every shell and Python block of README, CONTRIBUTING and docs is run here, or named with the reason why it cannot be.

A block is run in a folder that has what it speaks of: me.wav, anna.wav, a story. Its commands run in this process. What
cannot be run (a hub, hours, a page that waits for visitors) is still read: its subcommand and options must be there.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import Finished
from typer.main import get_command

from tts_fm import plugins
from tts_fm.data.corpora import CorpusReader
from tts_fm.flow.solvers import Solver
from tts_fm.vocoders import Vocoder

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

NOT_RUN = {
    "pip install": "installs; .ci/run runs the README's in new environments",
    "tts-fm serve": "waits for clients; tests/test_serve.py and tests/test_clients.py are some",
    "curl http": "needs a server that runs; tests/test_serve.py",
    "from openai import": "OpenAI's client is in an environment of its own; tests/clients/openai_client.py",
    "ray start": "a cluster; tests/test_batch_workers.py starts one",
    "--ray auto": "a cluster; tests/test_batch_workers.py starts one",
    "tts-fm demo": "a page that waits for visitors; the browser's tests open it",
    "--model F5TTS_v1_Base": "a hub",
    "--model hf://": "a hub",
    "model_1250000.safetensors": "weights of 1.3 GB; tests/test_hub.py and tests/test_interop.py run it with small ones",
    "tts-fm prepare libritts LibriTTS": "a corpus of 80 GB",
    "runs/libritts": "a corpus of 80 GB",
    "runs/small": "a corpus of 80 GB",
    "runs/mini": "eighty minutes",
    "tts-fm train configs/": "hours",
    "tts-fm optimize-steps": "minutes, and it would change the bundled voice; tests/test_optimize_steps.py",
    "tts-fm compare --out": "an hour and a half; tests/test_comparison.py",
    "tts-fm evaluate --out runs/evaluation": "ten minutes; its neighbour with --limit is run",
    "tts-fm evaluate --protocol": "a published list; tests/test_published.py",
    "python -m scripts.": "minutes to hours",
    "python -m venv": "a new environment",
    "source .venv/bin/activate": "a new environment",
    "pytest": "tests are not run by a test",
    "fastkokoro": "another server, in an environment of its own",
    "scripts/campplus.sh": "a registry",
    "nox": "tests are not run by a test",
    "tts-fm prepare pairs": "its reader is run by test_what_the_ten_minutes_add_is_found",
    "--solver ralston": "its solver is run by test_what_the_ten_minutes_add_is_found",
    "tts-fm export onnx": "minutes; tests/test_runtime.py and tests/test_web.py run it",
    "npm install": "a registry; tests/test_web.py runs it",
    "python -m http.server": "waits for visitors; tests/test_web.py serves the page",
    "python -m tts_fm.runtime": "needs what tts-fm export onnx writes; tests/test_runtime.py",
    "from tts_fm.runtime": "needs what tts-fm export onnx writes; tests/test_runtime.py",
    "--output - |": "sound on stdout; tests/test_stream.py",
    "--output-raw - |": "sound on stdout; tests/test_stream.py",
    "--play": "a loudspeaker",
    "novel.m4b": "PyAV; tests/test_narrate.py writes one",
    "gradio_client": "needs a page that runs; tests/test_browser_api.py",
}
"""What a command or a Python block has in it that cannot be run here, and why."""

SLOW = ("tests/data/libritts", "--limit 2", "runs/try", "tts-fm score")
"""What takes more than a few seconds: run with -m slow."""


@dataclass(frozen=True)
class Block:
    """A block of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> Iterator[Block]:
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text[: match.start()].count("\n") + 1
            yield Block(path.relative_to(ROOT).as_posix(), line, match[1], match[2])


def commands(block: Block) -> list[str]:
    """The commands of a shell block, each on one line, without comments."""
    joined = re.sub(r"\\\n\s*", "", block.text)
    lines = [re.sub(r"(^|\s{2,})#.*$", "", line) for line in joined.splitlines()]
    lines = [re.sub(r"^for .*; do (.*); done$", r"\1", line.strip()) for line in lines]
    return [part.strip() for line in lines for part in line.split("&&") if part.strip()]


def why_not(text: str) -> str | None:
    return next((reason for mark, reason in NOT_RUN.items() if mark in text), None)


BLOCKS = list(blocks())
SHELL = [block for block in BLOCKS if block.language == "bash"]
PYTHON = [block for block in BLOCKS if block.language == "python" and why_not(block.text) is None]


def marked(those: list[Block]) -> list:
    return [
        pytest.param(b, id=str(b), marks=[pytest.mark.slow] if any(mark in b.text for mark in SLOW) else [])
        for b in those
    ]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages speak of; voices are kept in it, and configs and scripts are those of the tree."""
    import soundfile

    from tts_fm import hub

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TTS_FM_VOICES", str(tmp_path / "kept"))
    voice = hub.bundled() / "voice.flac"
    samples, rate = soundfile.read(voice)
    for name in ("me", "anna", "bob"):
        soundfile.write(f"{name}.wav", samples, rate)
    Path("story.txt").write_text(
        "Once upon a time. [town] I live in the town! [main] And it went home.", encoding="utf-8"
    )
    Path("story.toml").write_text(
        'voice = "anna"\ngen_text = "[town] Hello."\n[voices.town]\nvoice = "bob"\n', encoding="utf-8"
    )
    Path("lines.jsonl").write_text('{"id": "a1", "text": "Flow matching."}\n', encoding="utf-8")
    Path("film.srt").write_text("1\n00:00:00,500 --> 00:00:02,000\nHello.\n", encoding="utf-8")
    Path("novel.md").write_text("# One\n\nIt rained.\n\n# Two\n\nIt stopped.\n", encoding="utf-8")
    soundfile.write("music.wav", 0.01 * samples, rate)
    for name in ("configs", "scripts", "tests"):
        Path(name).symlink_to(ROOT / name)
    return tmp_path


@pytest.mark.parametrize("block", marked(SHELL))
def test_the_commands_of_a_block(block: Block, desk: Path, tts_fm_command: Callable[..., Finished]) -> None:
    words = (ROOT / "tts_fm/voices/default/voice.txt").read_text(encoding="utf-8").strip()
    if "anna" in block.text or "story" in block.text:  # kept before, where the block does not keep it itself
        for name in ("bob",) if "voices add anna" in block.text else ("anna", "bob"):
            given = ("--ref-audio", f"{name}.wav", "--ref-text", words, "--consent", "a test")
            assert tts_fm_command("voices", "add", name, *given).code == 0
    for command in commands(block):
        arguments = shlex.split(command)
        if why_not(command) is not None:
            if arguments[0] == "tts-fm":
                understood(arguments[1:])
            continue
        assert arguments[0] == "tts-fm", f"{command}: run it here, or name it in NOT_RUN"
        for option in ("--ref-text", "--text") if arguments[1] == "edit" else ("--ref-text",):
            if option in arguments:  # the recording is the bundled voice's, so are its words
                arguments[arguments.index(option) + 1] = words
        if "--new-text" in arguments:
            arguments[arguments.index("--new-text") + 1] = words.replace(words.split()[3], "seven", 1)
        done = tts_fm_command(*arguments[1:])
        assert done.code == 0, (command, done.stderr)
        if "--output" in arguments:
            assert Path(arguments[arguments.index("--output") + 1]).exists()


def understood(arguments: list[str]) -> None:
    """Check that there is such a subcommand with such options."""
    from tts_fm.commands import app

    command, path = get_command(app), ["tts-fm"]
    while getattr(command, "commands", None):
        assert arguments[0] in command.commands, arguments
        path.append(arguments[0])
        command, arguments = command.commands[arguments[0]], arguments[1:]
    known = {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]}
    for word in arguments:
        if word.startswith("--"):
            assert word.split("=")[0] in known, (path, word)


@pytest.mark.parametrize("block", marked(PYTHON))
def test_the_python_of_a_block(block: Block, desk: Path) -> None:
    words = (ROOT / "tts_fm/voices/default/voice.txt").read_text(encoding="utf-8").strip()
    text = block.text.replace("The words that I say in this recording.", words)
    exec(compile(text, str(block), "exec"), {"__name__": "block"})


def test_every_excuse_is_needed() -> None:
    everything = [command for block in SHELL for command in commands(block)]
    everything += [block.text for block in BLOCKS if block.language == "python"]
    for mark in NOT_RUN:
        assert any(mark in text for text in everything), f"nothing says {mark!r} any more"


@pytest.mark.parametrize(("interface", "name"), [(Solver, "ralston"), (Vocoder, "hum"), (CorpusReader, "pairs")])
def test_what_the_ten_minutes_add_is_found(
    interface: type[plugins.Plugin], name: str, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files of docs/extending.md, put where the page says, do what it says."""
    import torch

    package = sys.modules[interface.__module__]
    page = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    file = f"{package.__name__.replace('.', '/')}/{name}.py"
    text = BLOCK.search(page, page.index(file))
    assert text is not None and text[1] == "python"
    (desk / "added").mkdir()
    (desk / "added" / f"{name}.py").write_text(text[2], encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(desk / "added")])
    try:
        kind = plugins.load(interface, name)
        if interface is Solver:
            grids = (torch.linspace(0, 1, steps + 1, dtype=torch.float64) for steps in (32, 64))
            one = torch.ones(1, dtype=torch.float64)
            coarse, fine = (abs(kind().solve(lambda x, t: x, one, grid).item() - torch.e) for grid in grids)
            assert coarse / fine == pytest.approx(2**kind.order, rel=0.05)
        elif interface is Vocoder:
            from tts_fm.types import MelSpec

            assert kind(kind.Options(), MelSpec()).decode(torch.full((1, 5, 100), -1.0)).shape == (1, 5 * 256)
        else:
            (desk / "folder").mkdir()
            shutil.copy("me.wav", "folder/a.wav")
            Path("folder/a.txt").write_text("Some words.\n", encoding="utf-8")
            shutil.copy("me.wav", "folder/b.wav")
            entry, fault = kind(desk / "folder", (), desk).read()
            assert (entry.id, entry.text, fault.id) == ("a", "Some words.", "b")
    finally:
        sys.modules.pop(f"{package.__name__}.{name}", None)
        if hasattr(package, name):
            delattr(package, name)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("zensical") is None, reason="the extra docs is not installed")
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    import subprocess

    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    built = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"], cwd=tmp_path, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "site/index.html").is_file()
