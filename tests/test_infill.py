"""What a model is told: statistics of spans and of drops, and that nothing is both given and asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tts_fm import infill
from tts_fm.infill import InfillOptions
from tts_fm.types import FILLER, Batch

N_MELS = 4


def batch(size: int = 400, frames: int = 300, aligned: bool = False) -> Batch:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(40, frames + 1, (size,), generator=generator)
    lengths[0] = frames
    is_valid = torch.arange(frames)[None] < lengths[:, None]
    mel = (torch.randn(size, frames, N_MELS, generator=generator) + 5) * is_valid[..., None]
    token_ids = torch.randint(0, 30, (size, 10), generator=generator)
    frames_each = None
    if aligned:
        frames_each = (lengths[:, None] // 10).repeat(1, 10)
        frames_each[:, -1] += lengths - frames_each.sum(dim=1)
    return Batch(mel, is_valid, token_ids, frames_each)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_given_and_asked_for_never_overlap_and_cover_the_utterance() -> None:
    b = batch()
    for seed in range(5):
        condition, is_target = infill.random_span(b, InfillOptions(continuation=0.3), rng(seed))
        assert not (condition.is_prompt & is_target).any()
        assert torch.equal(condition.is_prompt | is_target, b.is_valid)
        assert (condition.prompt_mel[~condition.is_prompt] == 0).all()
        assert torch.equal(condition.prompt_mel[condition.is_prompt], b.mel[condition.is_prompt])
        starts = (is_target.int().diff(dim=1, prepend=torch.zeros(len(b), 1, dtype=torch.int)) == 1).sum(dim=1)
        assert (starts == 1).all(), "one span per utterance"


@pytest.mark.parametrize(("low", "high"), [(0.7, 1.0), (0.2, 0.4), (1.0, 1.0)])
def test_spans_cover_the_fraction_asked_for(low: float, high: float) -> None:
    b = batch()
    lengths = b.is_valid.sum(dim=1)
    _, is_target = infill.random_span(b, InfillOptions(span_min=low, span_max=high), rng())
    spans = is_target.sum(dim=1)
    assert (spans >= low * lengths - 1).all() and (spans <= high * lengths + 1e-3).all()
    assert (spans / lengths).mean().item() == pytest.approx((low + high) / 2, abs=0.02)


def test_continuations_end_with_the_utterance() -> None:
    b = batch()
    last = b.is_valid.sum(dim=1, keepdim=True) - 1

    def ends(probability: float) -> float:
        _, is_target = infill.random_span(b, InfillOptions(span_min=0.3, span_max=0.5, continuation=probability), rng())
        return is_target.gather(1, last).float().mean().item()

    assert ends(1.0) == 1.0
    assert ends(0.0) < 0.05
    assert ends(0.5) == pytest.approx(0.5, abs=0.07)


def test_conditions_are_dropped_as_often_as_asked() -> None:
    size = 20_000
    flags = torch.ones(size, dtype=torch.bool)
    b = Batch(
        torch.zeros(size, 2, 1), torch.ones(size, 2, dtype=torch.bool), torch.zeros(size, 1, dtype=torch.long), None
    )
    condition, _ = infill.random_span(b, InfillOptions(), rng())
    assert torch.equal(condition.has_text, flags) and torch.equal(condition.has_prompt, flags)
    dropped = infill.drop(condition, InfillOptions(drop_prompt=0.24, drop_text=0.1, drop_both=0.2), rng())
    text, prompt = ~dropped.has_text, ~dropped.has_prompt
    assert (text & prompt).float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert (text & ~prompt).float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert (prompt & ~text).float().mean().item() == pytest.approx(0.24, abs=0.01)
    kept = infill.drop(condition, InfillOptions(drop_prompt=0, drop_text=0, drop_both=0), rng())
    assert kept.has_text.all() and kept.has_prompt.all()


def test_the_same_generator_gives_the_same_spans() -> None:
    b = batch()
    one, two = (infill.random_span(b, InfillOptions(continuation=0.5), rng(3))[1] for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, infill.random_span(b, InfillOptions(continuation=0.5), rng(4))[1])


def test_hidden_prompt_text_is_that_of_given_frames_alone() -> None:
    b = batch(aligned=True)
    assert b.token_frames is not None
    condition, is_target = infill.random_span(b, InfillOptions(hide_prompt_text=1.0), rng())
    is_hidden = condition.token_ids == FILLER
    ends = b.token_frames.cumsum(dim=1)
    for i in range(50):
        for j in range(10):
            frames = is_target[i, int(ends[i, j] - b.token_frames[i, j]) : int(ends[i, j])]
            if frames.any():
                assert not is_hidden[i, j], "a token that is asked for keeps its text"
            else:
                assert is_hidden[i, j]
    shown, _ = infill.random_span(b, InfillOptions(hide_prompt_text=0.0), rng())
    assert torch.equal(shown.token_ids, b.token_ids)


def test_a_continuation_begins_with_its_prompt() -> None:
    prompt = torch.randn(7, N_MELS)
    condition = infill.continue_prompt(prompt, [3, 1, 4], 20, [5, 5, 10])
    assert torch.equal(condition.prompt_mel[0, :7], prompt) and (condition.prompt_mel[0, 7:] == 0).all()
    assert condition.is_prompt.sum() == 7 and condition.lengths.tolist() == [20]
    assert condition.token_ids.tolist() == [[3, 1, 4]] and condition.has_text.all() and condition.has_prompt.all()
    assert not condition.empty().has_text.any() and not condition.empty().has_prompt.any()


def test_collating_pads_with_nothing() -> None:
    one = infill.continue_prompt(torch.randn(7, N_MELS), [3, 1, 4], 20, [5, 5, 10])
    two = infill.continue_prompt(torch.randn(2, N_MELS), [3], 9, [9])
    both = infill.collate([one, two])
    assert both.lengths.tolist() == [20, 9] and len(both) == 2
    assert both.token_ids.tolist() == [[3, 1, 4], [3, FILLER, FILLER]]
    assert both.token_frames is not None and both.token_frames.tolist() == [[5, 5, 10], [9, 0, 0]]
    assert (both.prompt_mel[1, 2:] == 0).all() and not both.is_prompt[1, 2:].any()
    assert torch.equal(both.prompt_mel[1, :9], two.prompt_mel[0])


def test_impossible_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"span_min 0\.9 is above span_max 0\.5"):
        InfillOptions(span_min=0.9, span_max=0.5)
    with pytest.raises(ValueError, match="above 1"):
        InfillOptions(drop_prompt=0.5, drop_both=0.6)
    with pytest.raises(ValueError, match="drop_text"):
        InfillOptions(drop_text=1.5)


def test_all_behind_a_prompt_of_its_own_is_the_target():
    b = replace(batch(3), given=torch.tensor([0, 7, 0]))
    condition, is_target = infill.random_span(b, InfillOptions(span_min=0.5, span_max=0.5), rng())
    lengths = b.is_valid.sum(1).tolist()
    assert is_target[1].nonzero()[:, 0].tolist() == list(range(7, lengths[1]))
    assert torch.equal(condition.is_prompt[1], b.is_valid[1] & ~is_target[1])
    assert int(is_target[0].sum()) == lengths[0] // 2
