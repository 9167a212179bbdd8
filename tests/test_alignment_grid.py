"""Alignments are kept on one grid, and move to that of another mel border by border."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts_fm.alignment.phones import GRID, HOP, SAMPLE_RATE, is_grid_of, on_grid, token_frames
from tts_fm.types import MelSpec

HIFIGAN = MelSpec(22_050, 1024, 256, 1024, 80, "hifigan")


def test_only_a_mel_of_the_same_frames_is_of_the_grid():
    assert is_grid_of(GRID) and is_grid_of(MelSpec(n_mels=80))
    assert not is_grid_of(HIFIGAN) and not is_grid_of(MelSpec(flavour="bigvgan")) and not is_grid_of(MelSpec(22_050))


def test_the_grid_itself_changes_nothing():
    assert on_grid([3, 0, 7, 2], GRID, 12) == [3, 0, 7, 2]


@given(
    st.lists(st.floats(0.0, 0.4), min_size=1, max_size=40).filter(lambda d: sum(d) > 0.1),
    st.sampled_from([HIFIGAN, MelSpec(flavour="bigvgan"), MelSpec(16_000, 1024, 200, 800, 80)]),
)
def test_every_border_is_within_a_frame_and_a_half_of_its_time(durations, spec):
    ends = [sum(durations[: i + 1]) for i in range(len(durations))]
    n_samples = round(ends[-1] * SAMPLE_RATE)
    total = spec.n_frames(int(ends[-1] * spec.sample_rate))
    frames = on_grid(token_frames(ends, n_samples), spec, total)
    assert sum(frames) == total and min(frames) >= 0
    centre = 0.0 if spec.is_centred else 0.5
    border = 0
    for end, frame in zip(ends[:-1], frames, strict=False):
        border += frame
        first_after = (border + centre) / spec.frame_rate  # seconds
        assert abs(first_after - end) <= HOP / SAMPLE_RATE + 1 / spec.frame_rate or border == total


def test_borders_do_not_drift():
    frames = on_grid([1] * 1000, HIFIGAN, math.floor(1000 * HOP / SAMPLE_RATE * HIFIGAN.frame_rate))
    assert sum(frames[:500]) == pytest.approx(500 * 86.1328125 / 93.75, abs=1)
