"""The voices that a person keeps: what is stored, what is refused, and that nothing leaves the folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
import torch
from conftest import TRANSCRIPT, Finished, buzz

from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.audio.library import KeptVoice, VoiceLibrary, lexicon_of, read_voice
from tts_fm.audio.prompt import Prompt
from tts_fm.errors import InputError

Command = Callable[..., Finished]
NOTE = "Anna Müller, by e-mail"
TRAVERSALS = [
    *("", ".", "..", "../x", "..\\x", "/x", "/etc/passwd", "x/", "x/y", "x\\y", "./x", "~", "~/x", "~root"),
    *("C:x", "C:\\x", "\\\\server\\x", "file:///x", "..%2fx", "%2e%2e/x", "%2e%2e%2fx", "..%5cx", "..%c0%afx"),
    *("....//x", "..;/x", "x\0", "\0", "x\n", "\nx", "x\r", "x\t", " x", "x ", "x y", "-x", "--force", ".x", "_x"),
    *("X", "Anna", "ANNA", "ä", "x\u202e", "\u2024\u2024/x", "\uff0e\uff0e\uff0fx", "x\u2215y", "$HOME", "${HOME}"),
    *("`x`", "$(x)", "x;y", "x|y", "*", "?", "x*", "[x]", "x:y", "x" * 65, "x" * 5000, "default", "con/../x"),
    *("..//..//x", "x/../../y", "/dev/null", "/proc/self/environ", "nul\0.flac", "x.flac", '"x"', "'x'", "x<y"),
    *("x>y", "x&y", "#x", "x@y", "x=y", "x,y", "x+y"),
]


@pytest.fixture
def library(tmp_path: Path) -> VoiceLibrary:
    return VoiceLibrary(tmp_path / "voices")


@pytest.fixture
def anna(library: VoiceLibrary) -> KeptVoice:
    return library.add("anna", recording(), NOTE)


def recording(silence: float = 0.5) -> Prompt:
    """3 s of buzz with silence around it."""
    edge = torch.zeros(round(silence * 24_000))
    return Prompt(Waveform(torch.cat([edge, buzz(3.0, 24_000), edge]), 24_000), TRANSCRIPT)


def test_what_is_kept_is_the_speech_at_its_own_level_and_what_is_said_about_it(library, anna):
    loaded = library.load("anna")
    assert (loaded.name, loaded.prompt.transcript, loaded.consent) == ("anna", TRANSCRIPT, NOTE)
    assert (loaded.sha256, loaded.added) == (anna.sha256, anna.added)
    assert torch.equal(loaded.prompt.waveform.samples, anna.prompt.waveform.samples)
    assert 2.8 < loaded.seconds < 3.2  # of 4 s
    assert float(loaded.prompt.waveform.samples.abs().max()) == pytest.approx(
        float(buzz(3.0, 24_000).abs().max()), abs=0.02
    )


def test_a_recording_stays_the_same_until_its_file_changes(library, anna):
    first = library.recording("anna")
    assert library.recording("anna") is first and torch.equal(first.waveform.samples, anna.prompt.waveform.samples)
    library.add("anna", recording(silence=0.7), NOTE, is_forced=True)
    assert library.recording("anna") is not first
    library.remove("anna")
    with pytest.raises(ValueError, match="there is no voice 'anna'"):
        library.recording("anna")


def test_any_player_plays_it(library, anna):
    info = soundfile.info(library.path("anna"))
    assert (info.format, info.subtype, info.samplerate, info.channels) == ("FLAC", "PCM_16", 24_000, 1)
    assert io.read_metadata(library.path("anna"))["consent"] == NOTE


@pytest.mark.parametrize("rate, kept", [(8_000, 8_000), (44_100, 44_100), (96_000, 48_000)])
def test_the_rate_is_the_recordings_own_up_to_48_khz(library, rate, kept):
    voice = library.add("anna", Prompt(Waveform(buzz(2.0, rate), rate), TRANSCRIPT), NOTE)
    assert voice.prompt.waveform.sample_rate == kept
    assert library.load("anna").sha256 == voice.sha256


def test_a_kept_voice_can_be_kept_again_as_it_is(library, anna):
    again = library.add("again", anna.prompt, NOTE)
    assert again.seconds == pytest.approx(anna.seconds, abs=0.1)


def test_nothing_is_replaced_unless_forced(library, anna):
    with pytest.raises(ValueError, match="there is a voice 'anna' already"):
        library.add("anna", recording(), "another")
    assert library.load("anna").consent == NOTE
    assert library.add("anna", recording(), "another", is_forced=True).consent == "another"
    assert library.load("anna").consent == "another"


def test_names_are_listed_in_order_and_removed(library, anna):
    assert VoiceLibrary(library.folder / "nowhere").names() == []
    library.add("0.a-b_c", recording(), NOTE)
    shutil.copy(library.path("anna"), library.folder / "default.flac")
    shutil.copy(library.path("anna"), library.folder / "No Name.flac")
    assert library.names() == ["0.a-b_c", "anna"]
    lexicon = lexicon_of(library.path("anna"))
    lexicon.write_text("tts\tspeech\n", encoding="utf-8")
    library.remove("anna")
    assert not lexicon.exists()
    assert library.names() == ["0.a-b_c"]
    with pytest.raises(ValueError, match=r"there is no voice 'anna' in .*; there are default, 0.a-b_c;"):
        library.load("anna")


@pytest.mark.parametrize("consent", ["", "  \n", "\0\x1b", "x" * 1001])
def test_a_note_of_consent_is_needed(library, consent):
    with pytest.raises(ValueError, match="a note of consent is needed"):
        library.add("anna", recording(), consent)
    assert library.names() == []


@pytest.mark.parametrize("transcript", ["", "\0", "word " * 2000])
def test_words_are_needed(library, transcript):
    with pytest.raises(InputError, match="the transcript"):
        library.add("anna", Prompt(recording().waveform, transcript), NOTE)


def test_what_is_too_short_when_it_is_trimmed_is_refused_at_once(library):
    edge = torch.zeros(24_000)
    short = Prompt(Waveform(torch.cat([edge, buzz(0.75, 24_000), edge]), 24_000), TRANSCRIPT)
    with pytest.raises(InputError, match="at least 1 s"):
        library.add("anna", short, NOTE)


def test_control_characters_do_not_reach_a_terminal(library):
    voice = library.add("anna", Prompt(recording().waveform, "One\x1b[31m\n two."), "by\x07 mail\x9b")
    assert (voice.prompt.transcript, voice.consent) == ("One[31m two.", "by mail")


@pytest.mark.parametrize("name", TRAVERSALS)
def test_no_name_leads_out_of_the_folder(library, anna, tmp_path, name):
    before = sorted(tmp_path.rglob("*"))
    for call in (library.path, library.load, library.remove):
        with pytest.raises(ValueError, match=r"is no name for a voice|comes with the model"):
            call(name)
    with pytest.raises(ValueError):
        library.add(name, recording(), NOTE)
    with pytest.raises(ValueError):
        library.add_file(library.path("anna"), name)
    assert sorted(tmp_path.rglob("*")) == before


def test_there_are_more_than_fifty_of_them():
    assert len(set(TRAVERSALS)) > 50


def test_a_link_out_of_the_folder_is_not_followed(library, anna, tmp_path):
    outside = tmp_path / "outside.flac"
    outside.write_bytes(library.path("anna").read_bytes())
    (library.folder / "link.flac").symlink_to(outside)
    for call in (library.load, library.remove):
        with pytest.raises(ValueError, match="is a link that leads out of"):
            call("link")
    with pytest.raises(ValueError, match="is a link that leads out of"):
        library.add("link", recording(), NOTE, is_forced=True)
    assert outside.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"transcript": "Other words."},
        {"consent": "Nobody"},
        {"added": "1999-01-01"},
        {"sha256": "0" * 64},
        {"name": "\x1b"},
    ],
)
def test_a_changed_note_is_refused(library, anna, tmp_path, change):
    facts = {**io.read_metadata(library.path("anna")), **change}
    anna.prompt.waveform.save(tmp_path / "changed.flac", facts)
    with pytest.raises(InputError, match="was changed since the voice was added"):
        read_voice(tmp_path / "changed.flac")


@pytest.mark.parametrize("at", [100, 10_000, 30_000])
def test_one_changed_sample_is_refused(library, anna, at):
    samples = anna.prompt.waveform.samples.clone()
    samples[at] += 2 / 32_768
    Waveform(samples, 24_000).save(library.path("anna"), io.read_metadata(library.path("anna")))
    with pytest.raises(InputError, match="was changed since the voice was added"):
        library.load("anna")


def test_a_damaged_file_is_refused(library, anna):
    data = library.path("anna").read_bytes()
    library.path("anna").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError):
        library.load("anna")
    library.path("anna").write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        library.load("anna")


def test_a_recording_is_no_voice(tmp_path):
    anything = tmp_path / "x.flac"
    recording().waveform.save(anything, {"software": "tts-fm"})
    with pytest.raises(InputError, match="is a recording, no voice's file; give it with its words"):
        read_voice(anything)


def test_metadata_nested_without_end_is_no_voice(tmp_path):
    with soundfile.SoundFile(tmp_path / "x.flac", "w", 24_000, 1, format="FLAC") as sound:
        sound.comment = "[" * 100_000
        sound.write(buzz(2.0, 24_000).numpy())
    with pytest.raises(InputError, match="is a recording"):
        read_voice(tmp_path / "x.flac")


def test_a_voice_moves_to_another_machine(library, anna, tmp_path):
    there = VoiceLibrary(tmp_path / "there")
    moved = there.add_file(Path(shutil.copy(library.path("anna"), tmp_path / "My Anna (1).flac")))
    assert (moved.name, moved.sha256) == ("anna", anna.sha256)
    assert there.path("anna").read_bytes() == library.path("anna").read_bytes()
    assert there.add_file(Path(shutil.copy(library.path("anna"), tmp_path / "aunt.flac"))).name == "aunt"
    assert there.add_file(library.path("anna"), "niece").name == "niece"
    with pytest.raises(ValueError, match="there is a voice 'anna' already"):
        there.add_file(library.path("anna"))


def test_a_file_is_written_whole_or_not_at_all(library, anna, monkeypatch):
    before = library.path("anna").read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ValueError, match="cannot be written: No space left on device"):
        library.add("anna", recording(), "another", is_forced=True)
    assert library.path("anna").read_bytes() == before
    assert [path.name for path in library.folder.iterdir()] == ["anna.flac"]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("TTS_FM_VOICES", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_command_keeps_tells_and_deletes(tts_fm_command: Command, home: Path, voice_file: Path) -> None:
    add = ("voices", "add", "anna", "--ref-audio", voice_file, "--ref-text", TRANSCRIPT)
    done = tts_fm_command(*add)
    assert (done.code, "--consent 'who allowed it, and how' is needed" in done.line) == (2, True)
    assert tts_fm_command(*add, "--consent", NOTE).code == 0
    assert tts_fm_command(*add, "--i-have-consent").code == 2
    shown = json.loads(tts_fm_command("voices", "show", "anna", "--json").stdout)
    assert (shown["name"], shown["consent"], shown["file"]) == ("anna", NOTE, str(home / "anna.flac"))
    assert tts_fm_command(*add, "--i-have-consent", "--force").code == 0
    listed = json.loads(tts_fm_command("voices", "list", "--json").stdout)
    assert [facts["name"] for facts in listed] == ["default", "anna"]
    assert "states that its speaker consents" in listed[1]["consent"]
    assert [line.split()[0] for line in tts_fm_command("voices", "list").stdout.splitlines()] == ["default", "anna"]
    assert tts_fm_command("voices", "rm", "anna").code == 0
    assert list(home.iterdir()) == []


def test_the_bundled_voice_is_shown_and_not_removed(tts_fm_command: Command, home: Path) -> None:
    assert json.loads(tts_fm_command("voices", "show", "default", "--json").stdout)["name"] == "default"
    done = tts_fm_command("voices", "rm", "default")
    assert (done.code, "comes with the model" in done.line) == (2, True)


def test_a_damaged_voice_hides_no_other(tts_fm_command: Command, home: Path, library, anna) -> None:
    home.mkdir()
    shutil.copy(library.path("anna"), home)
    (home / "bob.flac").write_bytes(b"nothing")
    done = tts_fm_command("voices", "list")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["default", "anna"]
    assert "no audio that can be read" in done.line


def test_a_kept_voice_speaks_as_its_recording_does(
    tts_fm_command: Command, home: Path, library, anna, model_folder: Path, tmp_path: Path
) -> None:
    file = library.path("anna")
    say = ("synthesize", "--model", model_folder, "--text", "Two words.", "--seed", 1, "--quiet")
    assert tts_fm_command("voices", "add", file).code == 0
    assert tts_fm_command(*say, "--voice", "anna", "-o", tmp_path / "name.wav").code == 0
    assert tts_fm_command(*say, "--voice", file, "-o", tmp_path / "file.wav").code == 0
    given = ("--ref-audio", file, "--ref-text", TRANSCRIPT)
    assert tts_fm_command(*say, *given, "-o", tmp_path / "given.wav").code == 0
    assert tts_fm_command(*say, "-o", tmp_path / "own.wav").code == 0
    assert tts_fm_command(*say, "--voice", "default", "-o", tmp_path / "default.wav").code == 0
    name, by_file, by_given, own, default = (
        io.read(tmp_path / f"{which}.wav").samples for which in ("name", "file", "given", "own", "default")
    )
    assert torch.equal(name, by_file) and torch.equal(name, by_given) and torch.equal(own, default)
    assert len(own) != len(name) or not torch.equal(own, name)


@pytest.mark.parametrize(
    "voice, code, line",
    [
        ("bob", 2, "there is no voice 'bob'"),
        ("../bob", 3, "the voice file ../bob cannot be read: No such file"),
        ("bob.flac", 3, "the voice file bob.flac cannot be read: No such file"),
        ("BOB", 2, "'BOB' is no name for a voice"),
    ],
)
def test_a_voice_that_is_not_there_is_one_line(
    tts_fm_command: Command, home: Path, model_folder: Path, voice: str, code: int, line: str
) -> None:
    done = tts_fm_command("synthesize", "--model", model_folder, "--text", "Hi.", "--voice", voice)
    assert (done.code, line in done.line) == (code, True)
