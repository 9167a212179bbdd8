"""What a model is told: every duration rule trims, cuts and measures; prompt and pieces are read once."""

from __future__ import annotations

import gc
import math
import weakref
from collections import Counter
from functools import cache

import pytest
import torch
from conftest import TINY, buzz

from tts_fm import Prompt, Synthesizer, Waveform, config, plugins
from tts_fm.audio import prompt as prompts
from tts_fm.backbones import Backbone
from tts_fm.frontends import Frontend
from tts_fm.pacing import DurationRule
from tts_fm.telling import Teller
from tts_fm.vocoders import Vocoder

RULES = plugins.names(DurationRule)
ALIGNED = {
    "name": "aligned_dit", "dim": 32, "depth": 1, "heads": 1, "text_dim": 16, "text_layers": 1, "prompt_dim": 16,
    "refine_dim": 16,
}  # fmt: skip
LONG = " ".join(f"Here comes sentence number {word}." for word in "one two three four five six seven eight".split())


@cache
def speaking(rule: str) -> Synthesizer:
    """A model of random weights with this rule."""
    backbone = {"backbone": ALIGNED} if rule == "predicted" else {}
    value = {**TINY, **backbone, "duration": {"rule": rule}, "limits": {"max_total_seconds": 8.0}}
    model = config.parse(config.ModelConfig, value, "test")
    frontend = model.frontend.build(Frontend)
    torch.manual_seed(0)
    network = model.backbone.build(Backbone, model.mel.n_mels, frontend.vocab_size).eval()
    if rule == "predicted":
        torch.nn.init.constant_(network.token_frames[-1].bias, math.log1p(5))  # frames of a token
    return Synthesizer(model, network, frontend, model.vocoder.build(Vocoder, model.mel))


def telling(rule: str) -> Teller:
    return speaking(rule).teller


@pytest.fixture(scope="module")
def prompt() -> Prompt:
    return Prompt(Waveform(buzz(3.0, 24_000), 24_000), "A voice that buzzes and buzzes.")


@pytest.mark.parametrize("rule", RULES)
@torch.inference_mode()
def test_a_rule_trims_cuts_and_measures(rule: str, prompt: Prompt) -> None:
    teller = telling(rule)
    voice = teller.listen(prompt)
    samples = len(voice.prompt.waveform.samples)
    assert samples // 256 - len(voice.mel) == (0 if rule == "f5_bytes" else 2)  # 1024 / (2 * 256) see the cut edge
    pieces, pauses = teller.pieces([LONG], voice)
    assert len(pauses) == len(pieces) > 1 and " ".join(piece.strip() for piece in pieces) == LONG
    tokens = teller.frontend.tokens(LONG)
    lengths = [teller.to_speak(voice, LONG, tokens, speed).lengths.item() - len(voice.mel) for speed in (1.0, 2.0)]
    assert lengths[1] / lengths[0] == pytest.approx(0.5, abs=0.02)
    fixed = teller.to_speak(voice, LONG, tokens, seconds=2.0)
    assert fixed.lengths.item() == len(voice.mel) + round(2.0 * 24_000 / 256)
    assert torch.equal(fixed.prompt_mel[0, : len(voice.mel)], voice.mel)
    assert (fixed.token_frames is not None) == teller.backbone.needs_token_frames
    if fixed.token_frames is not None:
        assert fixed.token_frames.sum() == fixed.lengths.item() and fixed.token_frames[0, 0] == len(voice.mel)
    with pytest.raises(ValueError, match="9.0 s in one piece is more than this model can hold after this prompt"):
        teller.to_speak(voice, LONG, tokens, seconds=9.0)


@pytest.mark.parametrize("rule", RULES)
@torch.inference_mode()
def test_prompt_and_pieces_are_read_once(rule: str, prompt: Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    synthesizer, read, durations = speaking(rule), Counter(), []
    teller, backbone, frontend = synthesizer.teller, synthesizer.backbone, type(synthesizer.frontend)
    tokens, predict = frontend.tokens, backbone.average_frames
    chunks = synthesizer.plan(LONG, prompt).pieces
    own = [tokens(teller.frontend, piece.text) for piece in chunks]
    monkeypatch.setattr(frontend, "tokens", lambda self, text: read.update([text]) or tokens(self, text))
    monkeypatch.setattr(backbone, "average_frames", lambda ids: durations.append(len(ids)) or predict(ids))
    voice = teller.listen(Prompt(prompt.waveform, prompt.transcript))  # one that was not heard before
    for piece, its_tokens in zip(chunks, own, strict=True):
        teller.to_speak(voice, piece.text, its_tokens)
    if rule == "predicted":
        assert read == {voice.prompt.transcript: 1}  # and the pieces' tokens are those that were given
        assert durations == [len(voice.prompt.transcript.encode()), *map(len, own)]
    else:
        assert set(read.values()) == {1} and len(read) == len(chunks) > 1  # prompt and piece together


def test_a_prompt_is_heard_once_and_forgotten_with_it(prompt: Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    teller, heard, prepare = speaking("predicted").teller, [], prompts.prepare
    monkeypatch.setattr(prompts, "prepare", lambda *given: heard.append(given[0].transcript) or prepare(*given))
    own, gone = Prompt(prompt.waveform, prompt.transcript), weakref.WeakSet[Prompt]()
    gone.add(own)
    first = teller.listen(own)
    assert teller.listen(own) is first and len(heard) == 1
    other = teller.listen(Prompt(prompt.waveform, prompt.transcript))
    assert other is not first and torch.equal(other.mel, first.mel) and len(heard) == 2
    del own
    gc.collect()
    assert not gone


def test_a_rule_that_is_not_there_is_refused_by_its_choices() -> None:
    with pytest.raises(
        ValueError, match="there is no DurationRule called 'guess'; choose one of f5_bytes, predicted, "
    ):
        config.parse(config.ModelConfig, {**TINY, "duration": {"rule": "guess"}}, "test")
