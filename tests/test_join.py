"""Several sounds to one: lengths, no clicks, and F5-TTS's crossfade."""

import numpy as np
import pytest
import torch

from tts_fm.audio.io import Waveform
from tts_fm.audio.join import crossfade, join, places

RATE = 24_000


def tone(seconds, phase, pitch=220.0):
    return Waveform(0.5 * torch.cos(2 * torch.pi * pitch * torch.arange(round(seconds * RATE)) / RATE + phase), RATE)


def largest_jump(samples):
    return float(samples.diff().abs().max())


@pytest.mark.parametrize("pause", [0.0, 0.2])
def test_no_jump_is_larger_than_inside_the_pieces(pause):
    pieces = [tone(0.5, 0.0), tone(0.3, 2.5), tone(0.4, 4.0)]
    inside = max(largest_jump(piece.samples) for piece in pieces)
    assert largest_jump(torch.cat([piece.samples for piece in pieces])) > 10 * inside  # what would click
    assert largest_jump(join(pieces, pause_seconds=pause).samples) <= inside + 1e-6


def test_lengths_add_up_and_silence_is_between():
    whole = join([tone(0.5, 0.0), tone(0.3, 1.0)], pause_seconds=0.25)
    assert len(whole.samples) == round((0.5 + 0.25 + 0.3) * RATE)
    assert (whole.samples[round(0.5 * RATE) : round(0.75 * RATE)] == 0).all()


def test_the_inside_of_the_pieces_is_untouched():
    first, second = tone(0.5, 0.0), tone(0.5, 1.0)
    whole = join([first, second], pause_seconds=0.1, fade_seconds=0.01)
    assert torch.equal(whole.samples[:11_000], first.samples[:11_000])
    assert torch.equal(whole.samples[-11_000:], second.samples[-11_000:])


def test_one_piece_is_unchanged_and_none_is_an_error():
    piece = tone(0.5, 0.0)
    assert torch.equal(join([piece]).samples, piece.samples)
    assert torch.equal(crossfade([piece]).samples, piece.samples)
    with pytest.raises(ValueError, match="no pieces"):
        join([])


def test_pieces_are_not_changed_and_may_be_tiny():
    pieces = [tone(0.5, 0.0), Waveform(torch.ones(3), RATE), tone(0.1, 0.0)]
    before = [piece.samples.clone() for piece in pieces]
    join(pieces)
    crossfade(pieces)
    assert all(torch.equal(a, piece.samples) for a, piece in zip(before, pieces, strict=True))


def test_rates_must_agree():
    with pytest.raises(ValueError, match=r"16000, 24000"):
        join([tone(0.1, 0), Waveform(torch.zeros(100), 16_000)])


def test_crossfade_is_linear_over_3600_samples():
    ones, twos = Waveform(torch.ones(RATE), RATE), Waveform(torch.full((RATE,), 2.0), RATE)
    whole = crossfade([ones, twos]).samples.numpy()
    assert len(whole) == 2 * RATE - 3600
    expected = np.linspace(1, 0, 3600) + 2 * np.linspace(0, 1, 3600)
    assert np.allclose(whole[RATE - 3600 : RATE], expected, atol=1e-6)
    assert len(crossfade([ones, Waveform(torch.ones(100), RATE)]).samples) == RATE
    assert len(crossfade([ones, twos], seconds=0.0).samples) == 2 * RATE


def test_each_pause_may_have_its_own_length():
    pieces = [tone(0.1, 0.0), tone(0.2, 0.0), tone(0.3, 0.0)]
    assert join(pieces, [0.5, 0.25, 9.0]).seconds == pytest.approx(1.35)
    assert [round(place.start, 6) for place in places(pieces, [0.5, 0.25, 9.0])] == [0.0, 0.6, 1.05]
