"""Audio files: what is read, what is refused and how, and that what is written comes back."""

import contextlib
import io
import os
import struct
import sys
import warnings
import wave

import numpy as np
import pytest
import soundfile
import torch

from tts_fm.audio.io import FORMATS, Waveform, check_target, encode, read, read_metadata, write
from tts_fm.errors import InputError

RATE = 24_000


def tone(seconds=1.0, rate=RATE, level=0.5, pitch=220.0):
    return Waveform(level * torch.sin(2 * torch.pi * pitch * torch.arange(round(seconds * rate)) / rate), rate)


def wav_bytes(samples=None, rate=RATE, **options):
    file = io.BytesIO()
    soundfile.write(file, tone().samples.numpy() if samples is None else samples, rate, format="WAV", **options)
    return file.getvalue()


def refused(source, **options):
    with pytest.raises(InputError) as caught:
        read(source, **options)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 300
    return message


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_is_read(tmp_path, format):
    path = tmp_path / f"a.{format}"
    tone().save(path, {"seed": 7, "model": "default", "software": "tts_fm 1.0"})
    back = Waveform.load(path)
    assert back.sample_rate == RATE and back.samples.dtype == torch.float32 and len(back.samples) == RATE
    error = (back.samples - tone().samples)[2000:-2000].abs().max()
    assert error < (1e-4 if format in ("wav", "flac") else 0.05)
    assert read_metadata(path) == {"seed": "7", "model": "default", "software": "tts_fm 1.0"}
    assert os.listdir(tmp_path) == [path.name]


def test_files_without_our_metadata_have_none(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav_bytes())
    assert read_metadata(tmp_path / "a.wav") == {}


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_averaged(subtype, channels):
    values = np.stack([tone(level=0.1 * (i + 1)).samples.numpy() for i in range(channels)], axis=1)
    back = read(io.BytesIO(wav_bytes(values, subtype=subtype)))
    assert torch.allclose(back.samples, torch.from_numpy(values.mean(axis=1)), atol=0.02)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 24001, 44099, 44100, 48000, 96000, 192000])
def test_any_rate_is_resampled_without_a_large_kernel(rate):
    back = tone(rate=rate).resampled(RATE)
    assert back.sample_rate == RATE and abs(len(back.samples) - RATE) <= 1
    assert torch.allclose(back.samples[2000:20000], tone().samples[2000:20000], atol=2e-3)


def test_missing_folder_and_unreadable(tmp_path):
    assert "there is no file" in refused(tmp_path / "no.wav")
    assert "is a folder" in refused(tmp_path)
    assert "no file name" in refused("a\0b.wav")
    (tmp_path / "empty.wav").touch()
    assert "is empty" in refused(tmp_path / "empty.wav")
    (tmp_path / "text.wav").write_text("this is a letter and no sound\n" * 50)
    assert "no audio that can be read" in refused(tmp_path / "text.wav")
    (tmp_path / "a.raw").write_bytes(b"\0" * 1000)
    assert "no audio" in refused(tmp_path / "a.raw")
    assert "is empty" in refused(io.BytesIO())


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may read everything")
def test_permission(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav_bytes())
    (tmp_path / "a.wav").chmod(0)
    assert "Permission denied" in refused(tmp_path / "a.wav")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kept", [0.0005, 0.02, 0.5, 0.8])
def test_truncated(tmp_path, format, kept):
    data = encode(tone(8.0), format)
    path = tmp_path / f"a.{format}"
    path.write_bytes(data[: max(1, int(kept * len(data)))])
    if format == "ogg" and kept >= 0.5:  # pages are whole: what is there is sound
        assert 1.0 < read(path).seconds < 8.0
    else:
        refused(path)


def test_truncated_wav_says_what_is_missing(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav_bytes()[:20_000])
    message = refused(tmp_path / "a.wav")
    assert "truncated" in message and "48,000 bytes" in message and "copy it again" in message


def test_wav_from_a_pipe_with_an_unknown_length_is_read():
    data = bytearray(wav_bytes())
    data[4:8] = data[40:44] = struct.pack("<I", 0xFFFF_FFFF)
    assert data[36:40] == b"data" and read(io.BytesIO(bytes(data))).seconds == 1.0


@pytest.mark.parametrize("rate", [1, 7999, 192_001, 2**31 - 1])
def test_absurd_sample_rates(rate):
    message = refused(io.BytesIO(wav_bytes(rate=rate)))
    assert str(rate) in message and "8000 to 192000 Hz" in message


def test_codecs_that_are_not_trusted():
    for subtype in ("IMA_ADPCM", "MS_ADPCM", "GSM610"):
        assert "not read; convert it" in refused(io.BytesIO(wav_bytes(subtype=subtype)))
    file = io.BytesIO()
    soundfile.write(file, tone().samples.numpy(), RATE, format="AIFF", subtype="IMA_ADPCM")
    assert "IMA_ADPCM" in refused(io.BytesIO(file.getvalue()))


def test_too_many_channels():
    assert "9 channels" in refused(io.BytesIO(wav_bytes(np.ones((100, 9)) / 2)))


def test_silence_damage_and_length():
    assert "silent" in refused(io.BytesIO(wav_bytes(np.zeros(RATE))))
    assert "silent" in refused(io.BytesIO(wav_bytes(np.full(RATE, 9e-4))))
    assert "no sound" in refused(io.BytesIO(wav_bytes(np.zeros(0))))
    bad = tone().samples.numpy().copy()
    bad[7] = np.nan
    assert "finite" in refused(io.BytesIO(wav_bytes(bad, subtype="FLOAT")))
    assert "0.10 s" in refused(io.BytesIO(wav_bytes(tone(0.1).samples.numpy())), min_seconds=1.0)


def test_ten_minutes_are_not_decoded(tmp_path, monkeypatch):
    path = tmp_path / "silence.flac"
    soundfile.write(path, np.zeros(600 * RATE, np.float32), RATE)
    assert path.stat().st_size < 50_000
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *a, **k: pytest.fail("decoded"))
    assert "more than 120 s" in refused(path)


def test_decoding_stops_at_the_limit_when_the_header_lies(tmp_path, monkeypatch):
    path = tmp_path / "silence.flac"
    soundfile.write(path, np.zeros(60 * RATE, np.float32), RATE)
    decoded = []
    original = soundfile.SoundFile.read

    def counted(self, *args, **kwargs):
        block = original(self, *args, **kwargs)
        decoded.append(len(block))
        return block

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    monkeypatch.setattr("tts_fm.audio.checks.check_header", lambda *args: None)
    assert "more than 10 s" in refused(path, max_seconds=10.0)
    assert sum(decoded) <= 10 * RATE + 65_536


def test_mutated_files_give_sound_or_one_line():
    rng = np.random.default_rng(0)
    for format in FORMATS:
        original = np.frombuffer(encode(tone(), format), np.uint8)
        for _ in range(40):
            data = original.copy()
            where = rng.integers(0, min(len(data), 400), 8)
            data[where] = rng.integers(0, 256, 8)
            try:
                assert read(io.BytesIO(data.tobytes())).samples.isfinite().all()
            except InputError as error:
                assert "\n" not in str(error)


def test_a_pipe_is_read():
    first, second = os.pipe()
    os.write(second, wav_bytes(tone(0.5).samples.numpy()))
    os.close(second)
    with os.fdopen(first, "rb") as stream:
        assert read(stream).seconds == 0.5


def test_loud_sound_is_scaled_and_not_clipped(tmp_path):
    tone(level=2.0).save(tmp_path / "a.wav")
    back = Waveform.load(tmp_path / "a.wav")
    assert back.samples.abs().max() <= 1
    assert torch.allclose(back.samples, tone(level=1.0).samples, atol=1e-4)


def test_not_finite_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="finite"):
        Waveform(torch.tensor([0.0, float("inf")]), RATE).save(tmp_path / "a.wav")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("bits", "channels"),
    [(0x7F800001, 1), (0x7FC00000, 1), (0x7F800000, 1), (0x7F800000, 2), (0x7F800000, 3), (0x7F7FFFFF, 3)],
    ids=["signalling", "quiet", "infinite", "infinite and its negative", "of three channels", "the largest"],
)
def test_not_finite_is_refused_in_one_line_without_another(tmp_path, bits, channels):
    samples = np.repeat(tone().samples.numpy()[:, None], channels, axis=1)
    samples[100] = np.array([bits], np.uint32).view(np.float32)[0]
    samples[100, 1:2] *= -1 if bits != 0x7F7FFFFF else 1
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(np.zeros((RATE, channels), np.float32), subtype="FLOAT"))
    written = path.read_bytes()
    at = written.index(b"data") + 8
    path.write_bytes(written[:at] + samples.tobytes() + written[at + samples.nbytes :])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "not finite numbers" in refused(path)


@pytest.mark.parametrize("name", ["a.xyz", "a", "no/such/a.wav", "."])
def test_paths_that_can_not_be_written(tmp_path, name):
    with pytest.raises(ValueError) as caught:
        write(tone(), tmp_path / name)
    assert "\n" not in str(caught.value) and not isinstance(caught.value, InputError)
    with pytest.raises(ValueError):
        check_target(tmp_path / name)


def test_unknown_suffix_lists_the_choices(tmp_path):
    with pytest.raises(ValueError, match="wav, flac, ogg, mp3"):
        check_target(tmp_path / "a.xyz")
    assert check_target(tmp_path / "A.FLAC") == "flac"
    assert check_target(tmp_path / "a.xyz", "mp3") == "mp3"


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    tone().save(path)
    before = path.read_bytes()

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tone(2.0).save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.wav"]


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path):
    tone().save(tmp_path / "a.wav")
    (tmp_path / "b.wav").symlink_to(tmp_path / "a.wav")
    tone(2.0).save(tmp_path / "b.wav")
    assert (tmp_path / "b.wav").is_symlink() and Waveform.load(tmp_path / "a.wav").seconds == 2.0
    write(tone(), os.devnull, format="wav")
    assert not os.path.isfile(os.devnull)


def test_dash_is_the_standard_output(monkeypatch):
    class Stdout:
        buffer = io.BytesIO()

    monkeypatch.setattr(sys, "stdout", Stdout)
    write(tone(), "-")
    with wave.open(io.BytesIO(Stdout.buffer.getvalue())) as sound:
        assert (sound.getnchannels(), sound.getframerate(), sound.getsampwidth()) == (1, RATE, 2)
        assert sound.getnframes() == RATE


def test_a_long_ogg_is_written():
    assert read(io.BytesIO(encode(tone(40.0), "ogg"))).seconds == pytest.approx(40.0, abs=0.01)


def test_a_waveform_has_one_axis():
    with pytest.raises((ValueError, TypeError), match=r"one axis|samples"):
        Waveform(torch.zeros(2, 100), RATE)


@pytest.mark.parametrize(
    ("scale", "divisor"), [(1.5, 1), (8.0, 8), (9.0, 16), (32_767.0, 32_768), (2.0**31, 2**31), (1e30, 2**100)]
)
def test_floats_on_another_scale_come_into_range(tmp_path, scale, divisor):
    samples = (np.sin(np.arange(24_000) / 9) * scale).astype(np.float32)
    samples[100] = scale
    soundfile.write(tmp_path / "a.wav", samples, 24_000, subtype="FLOAT")
    assert np.array_equal(read(tmp_path / "a.wav").samples.numpy(), samples / divisor)


@pytest.mark.parametrize(
    ("right", "expected"), [(0.0, 1.0), (1e-3, 1.0), (-1.0, 1.0), (-0.9, 1.0), (0.5, 0.75), (1.0, 1.0)]
)
def test_a_silent_or_inverted_channel_takes_nothing_from_the_other(tmp_path, right, expected):
    left = np.sin(np.arange(24_000) / 9) * 0.5
    soundfile.write(tmp_path / "a.wav", np.stack([left, right * left], axis=1), 24_000, subtype="FLOAT")
    assert np.allclose(read(tmp_path / "a.wav").samples.numpy(), expected * left, atol=1e-6)


@pytest.mark.parametrize(
    ("suffix", "format", "codec"),
    [("m4a", "ipod", "aac"), ("aac", "adts", "aac"), ("webm", "webm", "libopus"), ("mp4", "mp4", "aac")],
)
def test_what_telephones_record_is_read_with_pyav(tmp_path, suffix, format, codec):
    av = pytest.importorskip("av")
    path, rate = tmp_path / f"a.{suffix}", 48_000
    samples = (0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)).astype(np.float32)
    with av.open(str(path), "w", format=format) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    heard = read(path)
    middle = heard.samples[rate // 2 : 3 * rate // 2]
    assert heard.sample_rate == rate and heard.seconds == pytest.approx(2.0, abs=0.06)
    assert float(middle.square().mean().sqrt()) == pytest.approx(0.3 / 2**0.5, rel=0.05)
    assert refused(path, max_seconds=1.0).startswith(f"{path} lasts more than 1 s")
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for kept in (20, len(data) // 3):
        with contextlib.suppress(InputError):
            assert read(io.BytesIO(data[:kept])).samples.isfinite().all()
    for _ in range(20):
        changed = np.frombuffer(data, np.uint8).copy()
        changed[rng.integers(12, len(data), 8)] = rng.integers(0, 256, 8)
        with contextlib.suppress(InputError):
            assert read(io.BytesIO(changed.tobytes())).samples.isfinite().all()


def test_without_pyav_the_message_names_it(tmp_path, monkeypatch):
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    monkeypatch.setattr("tts_fm.audio.containers.find_spec", lambda name: None)
    assert "pip install 'tts-fm[av]'" in refused(path)
