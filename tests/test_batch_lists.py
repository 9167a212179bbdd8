"""Lists of what is to be said: every form that people have them in, and every line that is bad."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import TRANSCRIPT

from tts_fm.audio.library import VoiceLibrary
from tts_fm.audio.prompt import Prompt
from tts_fm.batch import listing
from tts_fm.batch.listing import BadLine, Line, Reference

FORMS = {
    "list.jsonl": '{"id": "a", "text": "Some words."}\n\n{"id": "b", "text": "More.", "ref_audio": "voice.wav", '
    f'"ref_text": "{TRANSCRIPT}", "duration": 2.5, "speed": 1.5}}\n',
    "list.csv": f'id,text,ref_audio,ref_text,seconds,speed\na,Some words.,,,,\nb,More.,voice.wav,"{TRANSCRIPT}",2.5,1.5\n',
    "list.tsv": f"name\ttext\tref_audio\tref_text\tseconds\tspeed\na\tSome words.\nb\tMore.\tvoice.wav\t{TRANSCRIPT}\t2.5\t1.5\n",
    "test.tsv": f"a\t{TRANSCRIPT}\tvoice.wav\tSome words.\nb\t{TRANSCRIPT}\tvoice.wav\tMore.\n",
    "meta.lst": f"a|Some words.\nb|{TRANSCRIPT}|voice.wav|More.|wavs/b.wav\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_a_list_is_read_in_every_form(name: str, tmp_path: Path) -> None:
    text = FORMS[name].replace("a\tSome words.\nb", "a\tSome words.\t\t\t\t\nb")
    (tmp_path / name).write_text("\ufeff" + text, encoding="utf-8")
    found = listing.read(tmp_path / name)
    recorded = Reference(audio=tmp_path / "voice.wav", words=TRANSCRIPT)
    has_numbers = name.startswith("list")
    assert not found.bad and not found.ignored
    assert [(line.id, line.text) for line in found.lines] == [("a", "Some words."), ("b", "More.")]
    assert [line.reference for line in found.lines] == [recorded if name == "test.tsv" else Reference(), recorded]
    assert [line.seconds for line in found.lines] == [None, 2.5 if has_numbers else None]
    assert [line.speed for line in found.lines] == [1.0, 1.5 if has_numbers else 1.0]


def test_every_bad_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_FM_VOICES", str(tmp_path))
    bad = {
        "no json": "it is no JSON",
        '["a"]': "it is no object of JSON",
        '{"text": "No id."}': "id: Field required",
        '{"id": "a/b", "text": "Words."}': "can be no file's name",
        '{"id": ".a", "text": "Words."}': "can be no file's name",
        '{"id": "good", "text": "Twice."}': "is that of line 1, too",
        '{"id": "c", "text": " ?! "}': "there is nothing to speak in",
        '{"id": "d", "text": "Words.", "speed": 99}': "speed is 99",
        '{"id": "e", "text": "Words.", "seed": "x"}': "seed is 'x'",
        '{"id": "f", "text": "Words.", "voice": "nobody"}': "there is no voice 'nobody'",
        '{"id": "g", "text": "Words.", "ref_audio": "g.wav"}': "need each other",
        '{"id": "h", "text": "Words.", "voice": "x", "ref_audio": "g.wav", "ref_text": "W."}': "one of them is enough",
        json.dumps({"id": "i" * 300, "text": "Words."}): "has more than 200 bytes",
    }
    path = tmp_path / "list.jsonl"
    path.write_text("\n".join(['{"id": "good", "text": "Words.", "mood": "high"}', *bad]), encoding="utf-8")
    found = listing.read(path)
    assert [line.id for line in found.lines] == ["good"] and found.ignored == ("mood",)
    assert [one.number for one in found.bad] == list(range(2, 2 + len(bad)))
    for one, reason in zip(found.bad, bad.values(), strict=True):
        assert reason in one.reason, one


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("list.txt", "", "suffix '.txt' is none of .jsonl"),
        ("list.csv", "a,b\n1,2\n", "has no id or no text"),
        ("list.jsonl", "\n", "is empty"),
        ("list.jsonl", "\udcff", "cannot be read"),
    ],
)
def test_what_is_no_list(name: str, text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(text.encode("utf-8", errors="surrogateescape"))
    with pytest.raises(ValueError, match=reason):
        listing.read(tmp_path / name)


def test_rows_of_a_table_must_fit_its_heading(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text('id,text\na,"Two\nlines."\nb,Too,many\n', encoding="utf-8")
    found = listing.read(tmp_path / "list.csv")
    assert [line.text for line in found.lines] == ["Two\nlines."]
    assert found.bad == (BadLine(4, "it has 3 fields, the heading has 2"),)


def test_each_voice_is_read_once_before_anything_starts(voice_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Reference] = []
    prompt = Reference.prompt
    monkeypatch.setattr(Reference, "prompt", lambda self: (read.append(self), prompt(self))[1])
    there, gone = Reference(audio=voice_file, words=TRANSCRIPT), Reference(audio=Path("gone.wav"), words="Words.")
    lines = [Line(str(i), "Words.", there if i % 2 else gone, number=i) for i in range(4)]
    assert [one.number for one in listing.bad_voices(lines)] == [0, 2]
    assert read == [gone, there]


def test_a_kept_voice_is_found_by_its_name(tmp_path: Path, voice_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_FM_VOICES", str(tmp_path / "kept"))
    kept = VoiceLibrary().add("anna", Prompt.load(voice_file, TRANSCRIPT), "a test")
    (tmp_path / "list.csv").write_text(f"id,text,voice\na,Words.,anna\nb,Words.,{tmp_path}/kept/anna.flac\n")
    one, other = listing.read(tmp_path / "list.csv").lines
    assert one.reference == other.reference and one.reference.name == "anna"
    prompt = one.reference.prompt()
    assert prompt is not None and prompt.transcript == kept.prompt.transcript
