"""Manifests, batches and their plan."""

import json
import os
from itertools import islice
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_run import write_corpus

from tts_fm.audio.io import Waveform
from tts_fm.config import DataOptions, ModelConfig, parse
from tts_fm.data import batching
from tts_fm.data.batching import Place, Schedule
from tts_fm.data.dataset import Corpus, load
from tts_fm.data.utterances import balanced, read_manifest, shared_out, with_prompts
from tts_fm.frontends import Frontend

MODEL = parse(
    ModelConfig,
    {"name": "tiny", "mel_scale": {"mean": -2.0, "std": 2.0}, "frontend": "utf8", "backbone": "aligned_dit"},
    "test",
)


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
    (fault,) = corpus(manifest).batch([0]).faults
    assert fault.id == "u0" and "3 token durations of 6 frames, but 3 tokens and 94 frames" in fault.reason
    manifest.write_text('{"id": "x"}')
    with pytest.raises(ValueError, match=r"manifest.jsonl, line 1 is no utterance"):
        read_manifest(manifest)
    with pytest.raises(ValueError, match="cannot be read"):
        read_manifest(tmp_path / "none.jsonl")


@given(st.lists(st.integers(1, 400), max_size=60), st.integers(0, 5), st.integers(0, 5))
def test_a_plan_holds_every_utterance_once_within_the_limits(lengths, seed, epoch):
    plan = batching.plan(lengths, 1000, 7, seed, epoch)
    assert sorted(i for batch in plan for i in batch) == list(range(len(lengths)))
    for batch in plan:
        assert len(batch) <= 7 and max(lengths[i] for i in batch) * len(batch) <= 1000
    assert plan == batching.plan(lengths, 1000, 7, seed, epoch)


@pytest.mark.parametrize("frames_per_batch", [3200, 6000, 38_400])
def test_at_least_95_percent_of_the_frames_are_real_on_lengths_like_libritts(frames_per_batch):
    """LibriTTS: median about 4.5 s, mean about 5.7 s, 0.4 to 30 s."""
    draw = torch.Generator().manual_seed(0)
    seconds = torch.exp(1.5 + 0.75 * torch.randn(20_000, generator=draw)).clamp(0.4, 30)
    assert seconds.mean() == pytest.approx(5.8, abs=0.2)
    lengths = (seconds * 93.75).long().tolist()
    plan = batching.plan(lengths, frames_per_batch, 64, 0, 0)
    print(f"{batching.filled(plan, lengths):.1%} real frames in batches of {frames_per_batch}")
    assert batching.filled(plan, lengths) > 0.95
    assert plan != batching.plan(lengths, frames_per_batch, 64, 0, 1)


def schedule() -> Schedule:
    return Schedule(lambda epoch: [[epoch, k] for k in range(3 + epoch)])  # epochs may have different sizes


def test_a_schedule_runs_through_all_epochs_from_any_place():
    everything = list(islice(schedule().batches(Place(0, 0)), 20))
    assert [indices for _, indices in everything[:8]] == [
        [0, 0],
        [0, 1],
        [0, 2],
        [1, 0],
        [1, 1],
        [1, 2],
        [1, 3],
        [2, 0],
    ]
    for k, (place, indices) in enumerate(everything):
        assert place == Place(*indices) == schedule().after(Place(0, 0), k)
        assert list(islice(schedule().batches(place), 20 - k)) == everything[k:]


@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_share_a_schedule_without_overlap(world):
    parts = [list(islice(schedule().batches(Place(1, 2), rank, world), 12 // world)) for rank in range(world)]
    shared = [item for together in zip(*parts, strict=True) for item in together]
    assert shared == list(islice(schedule().batches(Place(1, 2)), 12))


@pytest.mark.parametrize("cache", ["none", "disk", "memory"])
def test_every_way_to_keep_mels_gives_the_same(tmp_path, cache, monkeypatch):
    manifest = write_corpus(tmp_path, [1.0, 0.5])
    data = DataOptions(manifests=(str(manifest),), frames_per_batch=500, cache=cache)

    def made() -> Corpus:
        return Corpus(read_manifest(manifest), MODEL, data, MODEL.frontend.build(Frontend), tmp_path / "mels")

    kept = made()
    first, again = kept.mel(0), kept.mel(0)
    assert torch.equal(first, corpus(manifest).mel(0)) and torch.equal(first, again)
    assert len(list(tmp_path.glob("mels/*.npy"))) == (1 if cache == "disk" else 0)
    if cache == "disk":
        (path,) = tmp_path.glob("mels/*.npy")
        path.write_bytes(path.read_bytes()[:100])  # a run was killed here
        assert torch.equal(made().mel(0), first)
        monkeypatch.setattr(Corpus, "_computed", lambda *_: pytest.fail("it is kept"))
        assert torch.equal(made().mel(0), first)
        monkeypatch.undo()
        os.utime(manifest.parent / "0.wav", (0, 0))  # another file now, for all we know
        made().mel(0)
        assert len(list(tmp_path.glob("mels/*.npy"))) == 2


def test_workers_read_the_same_batches_in_order(tmp_path):
    manifest = write_corpus(tmp_path, [0.5 + 0.1 * i for i in range(6)])
    c = corpus(manifest, cache="none")
    order = Schedule(lambda epoch: batching.plan(c.lengths(), 200, 4, 0, epoch))
    alone, workers = (list(islice(load(c, order.batches(Place(0, 0)), n), 8)) for n in (0, 2))
    for (place, batch), (other_place, other) in zip(alone, workers, strict=True):
        assert place == other_place and batch.ids == other.ids and torch.equal(batch.mel, other.mel)


def test_utterances_outside_the_limits_are_counted(tmp_path):
    c = corpus(write_corpus(tmp_path, [0.5, 1.0, 2.0, 3.0]), min_seconds=0.8, max_seconds=2.5)
    assert [u.id for u in c.too_short] == ["u0"] and [u.id for u in c.too_long] == ["u3"] and len(c) == 2


def test_an_utterance_that_fits_no_batch_is_an_error():
    with pytest.raises(ValueError, match="900 frames but frames_per_batch is 800"):
        batching.plan([10, 900], 800, 4, 0, 0)


def test_a_mel_of_another_rate_gets_the_frames_of_its_own_grid(tmp_path):
    manifest = write_corpus(tmp_path, [1.0, 0.5])
    mel = {"sample_rate": 22050, "n_mels": 80, "flavour": "hifigan"}
    model = parse(
        ModelConfig,
        {"name": "t", "mel": mel, "frontend": "utf8", "backbone": "aligned_dit", "vocoder": "griffin_lim"},
        "",
    )
    data = DataOptions(manifests=(str(manifest),), frames_per_batch=500)
    c = Corpus(read_manifest(manifest), model, data, model.frontend.build(Frontend))
    batch = c.batch([0, 1])
    assert not batch.faults and batch.mel.shape == (2, 86, 80)
    assert batch.token_frames.sum(1).tolist() == [86, 43] == c.lengths()


def test_shares_say_how_often_a_part_is_heard(tmp_path):
    manifest = write_corpus(tmp_path, [2.0, 2.0, 0.5, 0.5])
    every = read_manifest(manifest)
    parts = [every[:2], every[2:]]
    assert [u.times for u in shared_out(parts, ())] == [1.0] * 4
    shared = shared_out(parts, (1.0, 1.0))
    assert [u.times for u in shared] == [0.625, 0.625, 2.5, 2.5]
    lengths, times = [200, 200, 50, 50], [u.times for u in shared]
    epochs = [batching.plan(lengths, 500, 8, 0, epoch, times) for epoch in range(400)]
    counts = [sum(batch.count(i) for plan in epochs for batch in plan) / 400 for i in range(4)]
    assert counts == pytest.approx(times, abs=0.08)
    with pytest.raises(ValueError, match="2 shares for 1 manifests"):
        DataOptions(manifests=("a",), frames_per_batch=1, shares=(0.5, 0.5))


def test_voices_are_evened_out_within_a_part(tmp_path):
    every = read_manifest(write_corpus(tmp_path, [2.0, 1.0, 0.5, 1.0]))  # the first and the last are of one voice
    assert [u.times for u in balanced(every, 0.0)] == [1.0] * 4
    even = balanced(every, 1.0)
    assert [u.times for u in even] == pytest.approx([0.5, 1.5, 3.0, 0.5])
    assert [u.seconds * u.times for u in even] == pytest.approx([1.0, 1.5, 1.5, 0.5])
    root = balanced(every, 0.5)
    heard = [root[0].times * 2 + root[3].times, root[1].times, root[2].times * 0.5]
    assert heard == pytest.approx([4.5 * s**0.5 / (3**0.5 + 1 + 0.5**0.5) for s in (3, 1, 0.5)])
    shared = shared_out([root[:2], root[2:]], (1.0, 1.0))
    assert [u.times / v.times for u, v in zip(shared, root, strict=True)] == pytest.approx([0.75, 0.75, 1.5, 1.5])


def test_another_utterance_of_the_voice_is_the_prompt(tmp_path):
    manifest = write_corpus(tmp_path, [1.0, 0.5, 0.7, 0.6, 2.0])  # u0 and u3 are of one voice, u1 and u4 of another
    utterances = with_prompts(read_manifest(manifest), 0.25, 1.8)
    assert {u.id: u.times for u in utterances} == {
        "u0": 0.75, "u3+u0": 0.25, "u3": 0.75, "u0+u3": 0.25, "u1": 1.0, "u2": 1.0, "u4": 1.0,
    }  # fmt: skip
    data = DataOptions(manifests=(str(manifest),), frames_per_batch=500)
    c = Corpus(utterances, MODEL, data, MODEL.frontend.build(Frontend))
    names = [u.id for u in c.utterances]
    i, alone, prompt = (names.index(name) for name in ("u3+u0", "u0", "u3"))
    batch = c.batch([i, alone])
    kept = 5  # frames of 50 ms of silence; the tokens at the edges last 50 and 4
    given = len(c.mel(prompt)) - (len(c.mel(prompt)) - 7 - kept)
    assert batch.given.tolist() == [given, 0] and c.lengths()[i] >= int(batch.is_valid[0].sum())
    assert batch.token_ids[0].tolist() == [-1, 97, 98, 99] and int(batch.token_frames[0, 0]) == given
    assert torch.equal(batch.mel[0, given : given + 94], batch.mel[1, :94])
    first = len(c.mel(prompt)) - 7 - kept
    assert torch.equal(batch.mel[0, :given], c.mel(prompt)[first:])


def test_prompts_take_turns_and_share_what_is_heard(tmp_path):
    manifest = write_corpus(tmp_path, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5])  # u0, u3 and u6 are of one voice
    turns = with_prompts(read_manifest(manifest), 0.5, 14.0, turns=8)
    assert {u.id: u.times for u in turns if u.id.endswith("u0")} == {"u0": 0.5, "u3+u0": 0.25, "u6+u0": 0.25}
    assert sum(u.times for u in turns) == 7
    assert {u.id for u in with_prompts(read_manifest(manifest), 0.5, 14.0)} < {u.id for u in turns}
    data = DataOptions(manifests=(str(manifest),), frames_per_batch=500)
    corpus = Corpus(turns, MODEL, data, MODEL.frontend.build(Frontend))
    assert len(corpus.recordings) == 7 < len(corpus) and corpus.seconds == pytest.approx(3.5)


def test_voices_that_speak_once_have_no_prompt():
    from tts_fm.data.utterances import Utterance

    alone = [Utterance(f"u{i}", Path("x"), "a", 1.0, f"s{i}", (94,)) for i in range(3)]
    assert with_prompts(alone, 0.5, 14.0) == alone
