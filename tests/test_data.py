"""Manifests, batches and their plan."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tts_fm.audio.io import Waveform
from tts_fm.config import DataOptions, ModelConfig, parse
from tts_fm.data import batching
from tts_fm.data.dataset import Corpus, read_manifest
from tts_fm.frontends import Frontend

MODEL = parse(
    ModelConfig,
    {"name": "tiny", "mel_scale": {"mean": -2.0, "std": 2.0}, "frontend": "utf8", "backbone": "aligned_dit"},
    "test",
)


def write_corpus(folder: Path, seconds: list[float]) -> Path:
    """A manifest of noise whose three tokens share the frames."""
    lines = []
    for i, length in enumerate(seconds):
        samples = 0.1 * torch.randn(round(length * 24_000), generator=torch.Generator().manual_seed(i))
        Waveform(samples, 24_000).save(folder / f"{i}.wav")
        frames = len(samples) // 256 + 1
        row = {
            "id": f"u{i}",
            "audio": f"{i}.wav",
            "text": "abc",
            "seconds": length,
            "split": "train" if i else "heldout",
        }
        lines.append(json.dumps(row | {"token_frames": [frames - 7, 3, 4]}))
    path = folder / "manifest.jsonl"
    path.write_text("\n".join(lines))
    return path


def corpus(manifest: Path, **options) -> Corpus:
    data = DataOptions(manifests=(str(manifest),), frames_per_batch=500, **options)
    return Corpus(read_manifest(manifest), MODEL, data, MODEL.frontend.build(Frontend))


def test_a_batch_holds_scaled_mels_and_padding(tmp_path):
    c = corpus(write_corpus(tmp_path, [1.0, 0.5]))
    batch = c.batch([0, 1])
    assert batch.mel.shape == (2, 94, 100) and batch.is_valid.sum(1).tolist() == [94, 47] == c.lengths()
    assert batch.token_ids.tolist() == [[97, 98, 99]] * 2 and batch.token_frames.sum(1).tolist() == [94, 47]
    assert batch.mel[1, 47:].abs().max() == 0
    from tts_fm.audio.mel import log_mel

    expected = (log_mel(Waveform.load(tmp_path / "0.wav").samples, MODEL.mel) + 2.0) / 2.0
    assert (batch.mel[0] - expected).abs().max() < 2e-3  # kept as float16


def test_split_and_limits_choose_the_utterances(tmp_path):
    manifest = write_corpus(tmp_path, [1.0, 0.5, 2.0])
    assert [u.id for u in read_manifest(manifest, "train")] == ["u1", "u2"]
    assert [u.id for u in corpus(manifest, max_seconds=1.5).utterances] == ["u0", "u1"]


def test_a_wrong_line_and_wrong_durations_are_named(tmp_path):
    manifest = write_corpus(tmp_path, [1.0])
    row = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(row | {"token_frames": [1, 2, 3]}))
    with pytest.raises(ValueError, match="u0: 3 token durations of 6 frames, but 3 tokens and 94 frames"):
        corpus(manifest).batch([0])
    manifest.write_text('{"id": "x"}')
    with pytest.raises(ValueError, match=r"manifest.jsonl, line 1 is no utterance"):
        read_manifest(manifest)
    with pytest.raises(ValueError, match="can not be read"):
        read_manifest(tmp_path / "none.jsonl")


@given(st.lists(st.integers(1, 400), max_size=60), st.integers(0, 5), st.integers(0, 5))
def test_a_plan_holds_every_utterance_once_within_the_limits(lengths, seed, epoch):
    plan = batching.plan(lengths, 1000, 7, seed, epoch)
    assert sorted(i for batch in plan for i in batch) == list(range(len(lengths)))
    for batch in plan:
        assert len(batch) <= 7 and max(lengths[i] for i in batch) * len(batch) <= 1000
    assert plan == batching.plan(lengths, 1000, 7, seed, epoch)


def test_most_frames_of_a_plan_are_speech_and_not_padding():
    draw = torch.Generator().manual_seed(0)
    lengths = (100 + 900 * torch.rand(2000, generator=draw)).long().tolist()
    plan = batching.plan(lengths, 8000, 64, 0, 0)
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in plan)
    assert sum(lengths) / padded > 0.92
    assert plan != batching.plan(lengths, 8000, 64, 0, 1)


def test_an_utterance_that_fits_no_batch_is_an_error():
    with pytest.raises(ValueError, match="900 frames but frames_per_batch is 800"):
        batching.plan([10, 900], 800, 4, 0, 0)
