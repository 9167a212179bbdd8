"""Published lists: their layouts, normalisers and averages, with transcripts that are given; and going on after a stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Finished
from test_judges import Knows, Rates

from tts_fm import plugins
from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.audio.prompt import Prompt
from tts_fm.evaluation import pairs, protocols, published
from tts_fm.evaluation.judges import Choice, Judges
from tts_fm.evaluation.pairs import Pair
from tts_fm.evaluation.protocols import HANZI_PUNCTUATION, Line, Protocol
from tts_fm.evaluation.report import Judgement
from tts_fm.evaluation.wer import errors

TEXTS = {"real-84-01": "It's 1st-rate — isn't it?", "real-174-01": "“Don’t!”  she said."}


@pytest.fixture(scope="module")
def few() -> list[Pair]:
    return [pair for pair in pairs.read(pairs.BUNDLED) if pair.id in TEXTS]


def seed_tts(folder: Path, few: list[Pair]) -> Path:
    """Lay ``few`` out as Seed-TTS-eval's English list, the last line with a recording; one prompt is missing."""
    lines = []
    for pair in few:
        io.read(pair.prompt_audio).save(folder / "en" / "prompt-wavs" / f"{pair.id}.wav")
        io.read(pair.target_audio).save(folder / "en" / "wavs" / f"{pair.id}.wav")
        lines.append(f"{pair.id}|{pair.prompt_text}|prompt-wavs/{pair.id}.wav|{TEXTS[pair.id]}")
    lines[-1] += f"|wavs/{few[-1].id}.wav"
    lines += ["gone|A prompt.|prompt-wavs/gone.wav|Some words.", "bare|Some words.", "two.wav|Words.|prompt-wavs/x.wav"]
    (folder / "en" / "meta.lst").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def librispeech_pc(folder: Path, few: list[Pair]) -> Path:
    """Lay ``few`` out as LibriSpeech's test-clean with F5-TTS's list beside it."""
    rows = []
    for pair in few:
        names = [path.stem for path in (pair.prompt_audio, pair.target_audio)]
        for name, path in zip(names, (pair.prompt_audio, pair.target_audio), strict=True):
            io.read(path).save(folder.joinpath("LibriSpeech", "test-clean", *name.split("-")[:2], f"{name}.flac"))
        rows.append("\t".join([names[0], "3.0", pair.prompt_text, names[1], "5.0", TEXTS[pair.id]]))
    (folder / "librispeech_pc_test_clean_cross_sentence.lst").write_text("\n".join(rows), encoding="utf-8")
    return folder


def zipvoice(folder: Path, few: list[Pair]) -> Path:
    """Lay ``few`` out as ZipVoice's test.tsv, with LibriSpeech's own transcripts beside it."""
    for pair in few:
        io.read(pair.prompt_audio).save(folder / "prompts" / f"{pair.id}.wav")
    test = [f"{pair.id}\t{pair.prompt_text}\tprompts/{pair.id}.wav\t{TEXTS[pair.id]}" for pair in few]
    (folder / "test.tsv").write_text("\n".join(test), encoding="utf-8")
    (folder / "transcript.tsv").write_text(f"{few[0].id}\tITS FIRST RATE ISN'T IT\n", encoding="utf-8")
    return folder


LAYOUTS = {"seed_tts_eval": seed_tts, "librispeech_pc": librispeech_pc, "zipvoice": zipvoice}


@pytest.fixture(params=list(LAYOUTS))
def layout(request: pytest.FixtureRequest, tmp_path: Path, few: list[Pair]) -> tuple[str, Path]:
    for folder in ("en/prompt-wavs", "en/wavs", "prompts"):
        (tmp_path / folder).mkdir(parents=True)
    for path in (few[0].prompt_audio, few[0].target_audio, few[1].prompt_audio, few[1].target_audio):
        tmp_path.joinpath("LibriSpeech", "test-clean", *path.stem.split("-")[:2]).mkdir(parents=True, exist_ok=True)
    return request.param, LAYOUTS[request.param](tmp_path, few)


# Rules


def test_every_protocol_is_tried_here() -> None:
    assert set(LAYOUTS) == set(plugins.names(Protocol))
    assert protocols.load("seed-tts-eval").about.startswith("BytedanceSpeech/seed-tts-eval")


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("seed-tts-eval", "It's 1st-rate — isn't it?", "it's 1strate isn't it"),
        ("seed-tts-eval", "Don’t! “No”, 3 ·pm。", "dont no 3 pm"),
        ("seed-tts-eval", "a - - b", "a  b"),  # two spaces become one, once
        ("librispeech-pc", "It's 1st-rate — isn't it?", "its 1strate isnt it"),
        ("librispeech-pc", "Don’t! “No”, 3 ·pm。", "dont no 3 pm"),
        ("zipvoice", "It's 1st-rate — isn't it?", "it's 1st rate isn't it"),
        ("zipvoice", "Don’t! “No”, 3 ·pm。", "don't no 3 pm"),
        ("zipvoice", "Café", "caf"),
    ],
)
def test_normalisers_are_not_each_others(name: str, text: str, wanted: str) -> None:
    assert protocols.load(name).normalise(text) == wanted


def test_the_marks_are_those_of_zhon() -> None:
    zhon = pytest.importorskip("zhon.hanzi")
    assert zhon.punctuation == HANZI_PUNCTUATION


@pytest.mark.parametrize(("name", "wrong"), [("seed-tts-eval", 1), ("librispeech-pc", 0), ("zipvoice", 3)])
def test_one_transcript_has_other_errors_by_each(name: str, wrong: int) -> None:
    rules = protocols.load(name)
    told, heard = (rules.normalise(text).split() for text in ("Isn't it well-known?", "Isnt it wellknown"))
    assert errors(told, heard).count == wrong


def test_the_mean_of_utterances_is_not_that_over_all_words() -> None:
    judged = [Judgement("", wrong, words, 0.5, None, 1.0) for wrong, words in ((1, 2), (0, 8))]
    found = published.averages([*judged, None])
    assert found is not None and published.averages([None]) is None
    assert (found.mean_of_utterances.value, found.over_all_words.value) == (0.25, 0.1)
    averages = {name: plugins.load(Protocol, name).average for name in LAYOUTS}
    assert averages == dict.fromkeys(LAYOUTS, "mean of utterances") | {"zipvoice": "over all words"}


# Layouts


def test_a_list_is_read_from_its_folder_or_itself(layout: tuple[str, Path], few: list[Pair]) -> None:
    name, folder = layout
    lines = protocols.load(name).read(folder)
    for line, pair in zip(lines, few, strict=False):
        assert (line.text, line.prompt_text) == (TEXTS[pair.id], pair.prompt_text)
        assert line.prompt_audio is not None
        assert io.read(line.prompt_audio).seconds == pytest.approx(io.read(pair.prompt_audio).seconds, abs=1e-3)
    ids = {
        "seed_tts_eval": [*TEXTS, "gone", "bare", "two"],
        "librispeech_pc": [pair.target_audio.stem for pair in few],
        "zipvoice": list(TEXTS),
    }
    assert [line.id for line in lines] == ids[name]
    assert lines[0].reference == ("ITS FIRST RATE ISN'T IT" if name == "zipvoice" else None)
    assert [line.target_audio is not None for line in lines[:2]] == [name != "zipvoice"] * 2
    listed = next(path for path in folder.rglob("*") if path.name.startswith(("meta", "librispeech_pc", "test.tsv")))
    assert protocols.load(name).read(listed) == lines


@pytest.mark.parametrize(
    ("name", "file", "text", "message"),
    [
        ("seed-tts-eval", "other.lst", "", "holds no list; give the list itself, or the folder with meta.lst"),
        ("seed-tts-eval", "meta.lst", "\n", "meta.lst is empty"),
        (
            "seed-tts-eval",
            "meta.lst",
            "a|b|c|d|e|f\n",
            "line 1 has 6 fields with '|' between them, not 2 or 3 or 4 or 5",
        ),
        ("seed-tts-eval", "meta.lst", "a|b|c|d\na|b|c|d\n", "has 'a' twice"),
        ("seed-tts-eval", "meta.lst", "../a|b|c|d\n", "it is no file's name"),
        ("seed-tts-eval", "meta.lst", "a|b|c|你好\n", "is Chinese, which its rules let paraformer-zh hear"),
        ("zipvoice", "test.tsv", "a\tb\tc\n", r"line 1 has 3 fields with '\\t' between them, not 4"),
        ("seed", "x", "", "there is no Protocol called 'seed'; choose one of librispeech_pc, seed_tts_eval, zipvoice"),
    ],
)
def test_what_is_no_list_is_one_line(tmp_path: Path, name: str, file: str, text: str, message: str) -> None:
    (tmp_path / file).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message) as caught:
        protocols.load(name).read(tmp_path)
    assert "\n" not in str(caught.value)


# Runs


class Says:
    """Says each text as silence of its own length, and remembers what it said."""

    def __init__(self, texts: list[str]) -> None:
        self.texts, self.seeds = texts, []

    def synthesize(self, text: str, prompt: Prompt, *, seed: int = 0) -> Waveform:
        self.seeds.append((text, seed))
        return Waveform(0.1 * torch.ones(16_000 + self.texts.index(text)), 16_000)


def judged_by(texts: list[str], heard: dict[str, str], rules: Protocol) -> Judges:
    knows = Knows()
    knows.said = {16_000 + i: heard[text] for i, text in enumerate(texts) if text in heard}
    return Judges(knows, lambda text: rules.normalise(text).split(), (Rates(),))


def test_a_run_counts_what_is_missing_and_goes_on_where_it_stopped(few: list[Pair], tmp_path: Path) -> None:
    (tmp_path / "en" / "prompt-wavs").mkdir(parents=True)
    (tmp_path / "en" / "wavs").mkdir()
    rules = protocols.load("seed-tts-eval")
    lines = rules.read(seed_tts(tmp_path, few))
    texts = [line.text for line in lines]
    judges = judged_by(texts, {texts[0]: "it's 1strate isn't", texts[1]: "don’t she said"}, rules)

    def run(seed: int = 5) -> published.Run:
        return published.Run(rules, lines, judges, tmp_path / "out", {"model": "m"}, seed)

    says = Says(texts)
    (first,) = run().speak(says, 1)
    assert says.seeds == [(texts[0], 5)] * 2  # one warms up
    assert first.output is not None and (first.output.errors, first.output.words) == (1, 4)
    path = tmp_path / "out" / "utterances.jsonl"
    path.write_text(path.read_text() + '{"id": "real-174-01", "tex')  # cut off
    done: list[tuple[int, int]] = []
    spoken = run().speak(says, on_line=lambda *at: done.append(at))
    assert says.seeds[2:] == [(texts[1], 6)] * 2 and spoken[0] == first and done[-1] == (5, 5)
    assert [json.loads(line).get("id") for line in path.read_text().splitlines()] == [
        None, "real-84-01", "real-174-01", "gone", "bare", "two",
    ]  # fmt: skip
    found = published.summary(run(), spoken)
    assert (found["lines"], found["asked"], found["judged"]) == (5, 5, 2)
    assert found["missing"] == {
        "gone": "gone.wav is not there",
        "bare": "the list names no prompt with its words",
        "two": "the list names no prompt with its words",
    }
    assert found["output"]["mean_of_utterances"]["value"] == 0.125
    assert found["output"]["over_all_words"]["value"] == pytest.approx(1 / 7)
    assert found["recording"]["over_all_words"]["value"] == 1  # in which nothing was heard
    assert found["output"]["naturalness"]["dnsmos_overall"]["value"] == pytest.approx(1.1, abs=1e-3)

    io.read(few[0].prompt_audio).save(tmp_path / "en" / "prompt-wavs" / "gone.wav")
    assert run().speak(says)[2].problem is None and len(says.seeds) == 6  # it came, and alone is spoken
    with pytest.raises(ValueError, match="was made with other seed; remove it, or choose another folder with --out"):
        run(seed=6)
    path.write_text("{}\n[]\n")
    with pytest.raises(ValueError, match="is none that tts-fm evaluate has written; choose another folder"):
        run()


def test_what_can_not_be_spoken_is_counted_too(few: list[Pair], tmp_path: Path) -> None:
    rules = protocols.load("zipvoice")
    bad = tmp_path / "bad.wav"
    bad.write_text("no sound")
    lines = [
        Line("a", "Words.", "A prompt.", bad),
        Line("b", "?!", "A prompt.", few[0].prompt_audio),
        Line("c", "Words.", few[0].prompt_text, few[0].prompt_audio, reference="Other words."),
    ]
    judges = judged_by(["Words."], {"Words.": "other words"}, rules)
    run = published.Run(rules, lines, judges, tmp_path, {})
    found = published.summary(run, run.speak(Says(["Words."])))
    assert list(found["failed"]) == ["a", "b"] and found["failed"]["b"] == "the text has no words to count"
    assert found["missing"] == {} and found["output"]["over_all_words"]["value"] == 0 and found["recording"] is None


# The command


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_the_command_prints_both_averages_and_no_name_of_another_measure(
    layout: tuple[str, Path],
    model_folder: Path,
    tmp_path: Path,
    tts_fm_command: Callable[..., Finished],
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
) -> None:
    name, folder = layout
    opened: list[Choice] = []

    def stand_in(self: Choice, texts: list[str], normalise: Callable[[str], str]) -> Judges:
        opened.append(self)
        return Judges(Knows(), lambda text: normalise(text).split(), (Rates(),))

    monkeypatch.setattr(Choice, "open", stand_in)
    out = tmp_path / "out"
    words = ["evaluate", "--model", model_folder, "--protocol", name.replace("_", "-"), folder, "--out", out]
    done = tts_fm_command(*words, "--device", "cpu", *more)
    assert done.code == 0 and opened == [Choice("whisper", "large-v3")]
    assert "sim-o" not in (done.stdout + done.stderr).lower()
    report = json.loads((out / "report.json").read_text())
    assert report["output"]["mean_of_utterances"]["value"] == report["output"]["over_all_words"]["value"] == 1
    assert (report["judged"], len(report["missing"])) == (2, 3 if name == "seed_tts_eval" else 0)
    assert ("3 of 5 lines were not judged; the first, gone" in done.stderr) == (name == "seed_tts_eval")
    if more:
        assert json.loads(done.stdout) == report
    else:
        shown = " ".join(done.stdout.split())
        assert "mean of utterances" in shown and "over all words" in shown and "Resemblyzer" in shown
        assert report["protocol"].split(" ")[0] in shown and "cannot be set beside" in shown


def test_a_missing_model_is_one_line(
    tmp_path: Path, tts_fm_command: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faster_whisper")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "test.tsv").write_text("a\tb\tc.wav\tWords.\n")
    words = ["evaluate", "--protocol", "zipvoice", tmp_path, "--out", tmp_path / "out"]
    done = tts_fm_command(*words)
    assert done.code == 4 and "run: tts-fm models download hf://Systran/faster-whisper-large-v3" in done.line
    done = tts_fm_command(*words, "--recogniser", "pocketsphinx")
    assert done.code == 2 and "knows the texts, and a published list is heard without; use whisper" in done.line
    done = tts_fm_command(*words, "--pairs", "pairs.jsonl")
    assert done.code == 2 and "give --protocol, --pairs or --corpus, not two of them" in done.line
    assert not (tmp_path / "out" / "utterances.jsonl").exists()
