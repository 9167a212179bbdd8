"""Sound as bytes: every format flows or is whole, and nothing of it is lost."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
import soundfile
import torch
from conftest import buzz
from numpy.linalg import norm
from scipy.signal import correlate
from serving import RATE, decoded

from tts_fm.audio.io import Waveform
from tts_fm.serving import formats

FACTS = {"software": "tts-fm", "is_generated": True, "text": "Some words. " * 80}


def encode(format: str, pieces: int) -> tuple[list[bytes], np.ndarray]:
    """Return the bytes of each piece of a sound, and the sound."""
    if format == "aac":
        pytest.importorskip("av")
    waveform = Waveform(buzz(3.0, RATE), RATE)
    parts = waveform.samples.chunk(pieces)
    encoder = formats.encoder(format, RATE, FACTS)
    sent = [*(encoder.add(Waveform(part, RATE)) for part in parts), encoder.end()]
    return sent, waveform.samples.numpy()


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("format", formats.MEDIA_TYPES)
def test_a_file_has_its_whole_sound(format, pieces):
    sent, said = encode(format, pieces)
    heard = decoded(b"".join(sent), format)
    padding = 3 * 1152 if format in ("aac", "mp3") else 0  # which no header tells a player to leave out
    assert len(said) <= len(heard) <= len(said) + padding
    likeness = correlate(np.pad(heard, (0, len(said))), said, "valid", "fft") / (norm(heard) * norm(said))
    assert likeness.max() > 0.98 and likeness.argmax() <= padding, "the same sound, from its beginning to its end"


@pytest.mark.parametrize("format", formats.MEDIA_TYPES)
def test_what_flows_begins_with_the_first_piece(format):
    sent, _ = encode(format, 3)
    assert all((len(part) > 0) == (format not in formats.WHOLE) for part in sent[:3])


@pytest.mark.parametrize("format", ["wav", "flac", "mp3", "opus"])
def test_a_file_says_that_a_machine_made_it(format):
    for pieces in (1, 3):
        sent, _ = encode(format, pieces)
        assert '"is_generated": "True"' in soundfile.SoundFile(io.BytesIO(b"".join(sent))).comment


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_headers_have_the_right_sizes(format):
    sent, said = encode(format, 3)
    assert soundfile.info(io.BytesIO(b"".join(sent))).frames == len(said)


def test_loud_sound_is_scaled_and_not_wrapped():
    data = formats.encoder("pcm", RATE, FACTS).add(Waveform(torch.tensor([0.5, 2.0, -2.0]), RATE))
    assert np.frombuffer(data, "<i2").tolist() == [8192, 32767, -32767]


def test_what_can_not_be_written_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="opus has no sample rate of 44100 Hz; choose one of 8000"):
        formats.check("opus", 44_100)
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"tts-fm\[av\]"):
        formats.check("aac", RATE)


def test_no_seam_is_heard_where_pieces_at_another_rate_meet():
    sound = Waveform(0.5 * torch.sin(torch.arange(RATE) * 2 * torch.pi * 440 / RATE), RATE)
    encoder = formats.encoder("pcm", 16_000, FACTS)
    parts = [encoder.add(Waveform(part, RATE)) for part in sound.samples.split(7_001)]
    samples = np.frombuffer(b"".join([*parts, encoder.end()]), "<i2") / 32_768
    assert np.abs(samples - sound.resampled(16_000).samples.numpy()).max() < 2 / 32_768
