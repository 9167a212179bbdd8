"""What is public in Python: the names, their signatures, and that importing the package is nothing heavy."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import tts_fm
from tts_fm import Synthesizer, story

sys.path.append(str(Path(__file__).parents[1]))

from scripts import reference

PUBLIC = """
Change Edit InputError KeptVoice Lexicon ModelConfig ModelError Piece Plan Prompt Role SamplingOptions Speech Story
Synthesizer Turn VoiceLibrary Waveform __version__
"""

HOW = (
    "*, seed: int = 0, speed: float = 1.0, seconds: float | None = None, sampling: SamplingOptions | None = None, "
    "normalized: bool = False, lexicon: Lexicon | None = None"
)
WHAT = "self, text: str, prompt: Prompt | None = None"
SAID = f"{WHAT}, {HOW}, on_step: OnStep | None = None, on_state: OnState | None = None"
SIGNATURES = {
    Synthesizer.load: (
        "(model: str = 'default', *, vocab: str | None = None, architecture: str | None = None, "
        "vocoder: str | None = None, device: str = 'auto', precision: str = 'auto', weak_model: str | None = None) "
        "-> Synthesizer"
    ),
    Synthesizer.with_config: "(self, config: ModelConfig) -> Synthesizer",
    Synthesizer.synthesize: f"({SAID}) -> Waveform",
    Synthesizer.speak: f"({SAID}) -> Speech",
    Synthesizer.stream: (
        f"({WHAT}, *, seed: int = 0, speed: float = 1.0, sampling: SamplingOptions | None = None, "
        "normalized: bool = False, lexicon: Lexicon | None = None, on_step: OnStep | None = None) -> Iterator[Piece]"
    ),
    Synthesizer.plan: (
        f"({WHAT}, *, speed: float = 1.0, seconds: float | None = None, normalized: bool = False, "
        "lexicon: Lexicon | None = None) -> Plan"
    ),
    Synthesizer.edit: (
        "(self, recording: Waveform, transcript: str, new_text: str, *, seed: int = 0, "
        "sampling: SamplingOptions | None = None, on_step: OnStep | None = None) -> Edit"
    ),
    Synthesizer.copy: "(self, waveform: Waveform) -> Waveform",
    tts_fm.Prompt.load: "(source: str | Path | Readable, transcript: str) -> Prompt",
    story.parse: "(text: str) -> tuple[Turn, ...]",
    story.speak: (
        f"(speaker: Speaker, turns: Sequence[Turn], roles: Mapping[str, Role], {HOW}, "
        "is_levelled: bool = True, on_step: OnStep | None = None) -> Story"
    ),
}


def test_what_is_public() -> None:
    assert tts_fm.__all__ == PUBLIC.split()
    for name in tts_fm.__all__:
        assert getattr(tts_fm, name) is not None and name in dir(tts_fm)
    assert set(reference.PUBLIC["tts_fm"]) == set(tts_fm.__all__) - {"__version__"}
    with pytest.raises(AttributeError, match="module 'tts_fm' has no attribute 'Synthesiser'"):
        tts_fm.Synthesiser  # noqa: B018


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__qualname__)
def test_signatures_stay(function) -> None:
    assert str(inspect.signature(function)).replace("'", "") == SIGNATURES[function].replace("'", "")


def test_importing_the_package_imports_nothing_but_the_package() -> None:
    script = "import sys; before = set(sys.modules); import tts_fm; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    heavy = {name.partition(".")[0] for name in done.stdout.split()} - set(sys.stdlib_module_names)
    assert heavy == {"tts_fm"}
    assert len([name for name in done.stdout.split() if name.startswith("tts_fm.")]) == 0
