"""Editing a recording by its words: what changes, what stays bit for bit, what is doubted, what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from conftest import TINY, Finished

from tts_fm import Synthesizer, Waveform, alignment, config, infill
from tts_fm.alignment import TimedWord, forced, owned_tokens, timed_words
from tts_fm.audio import io
from tts_fm.backbones import Backbone
from tts_fm.editing import Edit
from tts_fm.editing.revision import revise
from tts_fm.editing.splice import MARGIN, Patch, splice, swell
from tts_fm.editing.window import open_window
from tts_fm.errors import InputError
from tts_fm.evaluation.pairs import BUNDLED
from tts_fm.frontends import Frontend
from tts_fm.frontends.phonemes import Phonemes
from tts_fm.text.normalize import WrittenWord, written_words
from tts_fm.vocoders import Vocoder

Command = Callable[..., Finished]
DATA = Path(__file__).parent / "data"
TEXT = "Put in the oven and brown to a golden color."
RECORDING = next(DATA.glob("libritts/LibriTTS/*/652/130726/652_130726_000025_000000.wav"))
BACKBONES = {
    "dit": TINY["backbone"],
    "aligned_dit": {
        "name": "aligned_dit", "dim": 32, "depth": 1, "heads": 1, "text_dim": 16, "text_layers": 1, "prompt_dim": 16,
        "refine_dim": 16,
    },
}  # fmt: skip


@cache
def tiny(backbone: str) -> Synthesizer:
    """A model of random weights."""
    rule = {"rule": "predicted"} if backbone == "aligned_dit" else {}
    changes = {"backbone": BACKBONES[backbone], "frontend": "phonemes", "duration": rule}
    model = config.parse(config.ModelConfig, {**TINY, **changes}, "test")
    frontend = model.frontend.build(Frontend)
    torch.manual_seed(0)
    network = model.backbone.build(Backbone, model.mel.n_mels, frontend.vocab_size).eval()
    return Synthesizer(model, network, frontend, model.vocoder.build(Vocoder, model.mel))


@cache
def said() -> list[TimedWord]:
    return timed_words(io.read(RECORDING), TEXT)


def outside_is_the_same(before: torch.Tensor, edit: Edit) -> bool:
    """Whether every sample between the changes is the recording's own."""
    rate, after = edit.waveform.sample_rate, edit.waveform.samples
    edges = [(0, 0)]
    for change in edit.changes:
        edges += [tuple(round(span.start * rate) for span in (change.old_span, change.new_span))]
        edges += [tuple(round(span.end * rate) for span in (change.old_span, change.new_span))]
    edges += [(len(before), len(after))]
    kept = list(zip(edges[::2], edges[1::2], strict=True))
    return all(torch.equal(before[a:b], after[c:d]) for (a, c), (b, d) in kept)


# The words


def test_what_is_read_together_is_one_written_word() -> None:
    words = written_words("It costs $5 — or 5 kg, Dr. Smith.")
    assert [word.text for word in words] == ["It", "costs", "$5 —", "or", "5 kg,", "Dr.", "Smith."]
    assert [word.sound for word in words][2:] == ["five dollars", "or", "five kilograms", "doctor", "smith"]


def test_tokens_of_words_that_are_spoken_as_one_have_their_owners() -> None:
    words = ["I", "am", "of", "the", "house."]
    tokens, owners = owned_tokens(Phonemes(Phonemes.Options()), words)
    assert "".join(tokens) == "^aɪɐm ʌvðə hˈaʊs.$"
    owned = ["".join(t for t, owner in zip(tokens, owners, strict=True) if owner == i) for i in range(len(words))]
    assert owned == ["^aɪ", "ɐm ", "ʌv", "ðə ", "hˈaʊs.$"]


def test_every_word_has_its_time() -> None:
    words = said()
    assert [word.word.text for word in words] == TEXT.split()
    assert all(0.03 < word.end - word.start < 0.8 for word in words)
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(words))
    assert words[0].start > 0.1 and words[-1].end < io.read(RECORDING).seconds


def test_a_number_is_one_word_with_one_time() -> None:
    waveform = io.read(BUNDLED.parent / "audio/84-121123-0019.ogg")  # "The old man made a sign in the affirmative."
    words = timed_words(waveform, "The old man made 1 sign in the affirmative.")
    assert words[4].word == WrittenWord("1", "one") and 0.5 < words[4].start < words[4].end < 1.3


def test_a_word_for_which_no_time_is_found_was_not_heard():
    (word,) = written_words("so")
    timed = alignment._timed(word, [(1.0, 1.0, -3.0)], is_believed=True)
    assert timed == TimedWord(word, 1.0, 1.0, -math.inf, True)
    assert alignment._timed(word, [(1.0, 1.5, -3.0), (1.5, 1.6, -1.0)], is_believed=True).score == pytest.approx(
        -16 / 6
    )


@pytest.mark.slow
def test_doubt_marks_wrong_words_and_few_right_ones() -> None:
    pairs = [json.loads(line) for line in BUNDLED.read_text().splitlines()]
    texts = {pair["target_audio"]: pair["target_text"] for pair in pairs if pair["kind"] == "real"}
    right, wrong = [], []
    for i, (audio, text) in enumerate(sorted(texts.items())):
        waveform, words = io.read(BUNDLED.parent / audio), text.split()
        right += [word.is_doubtful for word in timed_words(waveform, text)]
        place = i % len(words)
        other = ["mountain", "telephone", "blue", "quick", "umbrella"][i % 5]
        wrong.append(timed_words(waveform, " ".join([*words[:place], other, *words[place + 1 :]]))[place].is_doubtful)
    assert sum(right) / len(right) < 0.06
    assert sum(wrong) / len(wrong) > 0.85


def test_another_text_is_doubted_or_refused() -> None:
    try:
        words = timed_words(io.read(RECORDING), "Nobody had expected such weather in the middle of July.")
    except InputError:
        return
    assert sum(word.is_doubtful for word in words) > len(words) / 2


def test_a_missing_aligner_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pocketsphinx", None)
    forced._decoder.cache_clear()
    with pytest.raises(ValueError, match=r"needs pocketsphinx; pip install 'tts-fm\[edit\]'"):
        timed_words(io.read(RECORDING), TEXT)
    forced._decoder.cache_clear()


# What changes


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (TEXT, []),
        ("put in the oven, and brown to a GOLDEN color", []),
        ("Put in the stove and brown to a golden color.", [("oven", "stove")]),
        ("Put it in the oven and brown to a golden color.", [("", "it")]),
        ("Put in the oven and brown to a color.", [("golden", "")]),
        ("Now put in the oven and brown to a golden color again.", [("", "Now"), ("", "again.")]),
        ("Put in the oven for 20 minutes.", [("and brown to a golden color.", "for 20 minutes.")]),
        ("Leave in the oven and brown to a golden hue.", [("Put", "Leave"), ("color.", "hue.")]),
    ],
)
def test_the_words_that_change(new: str, expected: list[tuple[str, str]]) -> None:
    written = written_words(new)
    found = revise(io.read(RECORDING), said(), written)
    words = TEXT.split()
    assert [
        (" ".join(words[i] for i in each.old), " ".join(written[i].text for i in each.new)) for each in found
    ] == expected
    for each in found:
        assert 0 <= each.span.start < each.span.end <= io.read(RECORDING).seconds
        if each.old:
            assert each.span.start < said()[each.old.start].start + 0.03
            assert each.span.end > said()[each.old.stop - 1].end - 0.03 or not each.new


def test_changes_that_touch_become_one() -> None:
    old = [TimedWord(WrittenWord(w, w), a, a + 0.1, 0.0, False) for w, a in (("a", 0.5), ("b", 0.6), ("c", 0.62))]
    old = [old[0], TimedWord(old[1].word, 0.6, 0.61, 0.0, False), old[2]]
    waveform = Waveform(0.1 * torch.sin(torch.arange(24_000) / 10), 24_000)
    (one,) = revise(waveform, old, written_words("x b y"))
    assert (one.old, one.new) == (range(3), range(3))


# The sound


def test_a_patch_leaves_every_other_sample() -> None:
    t = torch.arange(16_000) / 16_000
    samples, sound = torch.sin(2 * torch.pi * 200 * t), torch.sin(2 * torch.pi * 200 * t[:3000] + 1)
    whole, places = splice(samples, [Patch(2000, 4000, None), Patch(8000, 8800, sound)], 16_000)
    (a, b), (c, d) = places
    assert (a, c - b) == (2000, 4000) and len(whole) - d == 16_000 - 8800
    assert torch.equal(whole[:a], samples[:2000]) and torch.equal(whole[b:c], samples[4000:8000])
    assert torch.equal(whole[d:], samples[8800:])
    assert abs(d - c - (3000 - 2 * round(MARGIN * 16_000))) <= 2 * round(MARGIN * 16_000)
    steps = whole.diff().abs().max()
    assert steps <= samples.diff().abs().max() * 1.05  # waves of another phase meet without a step


def test_swelling_begins_and_ends_at_one() -> None:
    swollen = swell(torch.ones(100), 2.0, 10, 20)
    assert swollen[0] == pytest.approx(1.1) and swollen[-1] == pytest.approx(1.05)
    assert torch.equal(swollen[9:80], torch.full((71,), 2.0))


def test_a_gap_is_given_on_both_sides() -> None:
    left, right = torch.full((3, 2), 1.0), torch.full((2, 2), 2.0)
    condition = infill.fill_between(left, right, 4, [1, 2], [4, 5])
    assert condition.is_prompt[0].tolist() == [True] * 3 + [False] * 4 + [True] * 2
    assert condition.prompt_mel[0, :, 0].tolist() == [1, 1, 1, 0, 0, 0, 0, 2, 2]
    assert condition.token_frames is not None and condition.token_frames.sum() == 9


@pytest.mark.parametrize(
    "new", ["Put in the stove and brown to a golden color.", "Then put in the oven now, and brown."]
)
def test_token_frames_fill_the_window(new: str) -> None:
    model, written = tiny("aligned_dit"), written_words(new)
    heard = io.read(RECORDING)
    for each in revise(heard, said(), written):
        if each.new:
            gap = open_window(heard, said(), written, each, model.config).gap
            condition = model.teller.to_fill(gap)
            n = condition.prompt_mel.shape[1]
            assert condition.token_frames is not None
            assert condition.token_frames.sum() == n and condition.token_frames.min() >= 0
            assert n - condition.is_prompt.sum() >= gap.lead + gap.tail + 2 * gap.overlap + 1
            assert torch.equal(condition.prompt_mel[0, : len(gap.left)], gap.left)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize(
    "new",
    [
        "Put in the stove and brown to a golden color.",
        "Put it in the oven and brown to a color.",
        "Now put in the oven and brown to a golden color again.",
        "Put in the oven and brown.",
    ],
)
def test_every_sample_outside_of_the_changes_stays(backbone: str, new: str) -> None:
    recording = io.read(RECORDING)
    edit = tiny(backbone).edit(recording, TEXT, new, seed=3)
    assert len(edit.changes) >= 1 and outside_is_the_same(recording.samples, edit)
    assert torch.isfinite(edit.waveform.samples).all()
    grown = sum(change.new_span.seconds - change.old_span.seconds for change in edit.changes)
    assert edit.waveform.seconds == pytest.approx(recording.seconds + grown, abs=1e-6)


def test_another_sample_rate_and_float_samples_stay_too() -> None:
    slow = io.read(RECORDING).resampled(22_050)
    edit = tiny("dit").edit(slow, TEXT, TEXT.replace("oven", "stove"))
    assert edit.waveform.sample_rate == 22_050 and outside_is_the_same(slow.samples, edit)


def test_the_same_seed_gives_the_same_edit_and_another_one_another() -> None:
    recording, new = io.read(RECORDING), TEXT.replace("oven", "stove")
    first, again, other = (tiny("dit").edit(recording, TEXT, new, seed=seed).waveform.samples for seed in (1, 1, 2))
    assert torch.equal(first, again) and not (len(first) == len(other) and torch.equal(first, other))


def test_no_change_is_the_recording() -> None:
    recording = io.read(RECORDING)
    edit = tiny("dit").edit(recording, TEXT, TEXT.lower())
    assert edit.changes == () and torch.equal(edit.waveform.samples, recording.samples)


@pytest.mark.parametrize(
    ("transcript", "new", "line"),
    [
        (TEXT, "Something else was said here altogether, my friend.", "keeps 0.0 s of the recording's words"),
        (TEXT, "", "the text is empty"),
        ("", TEXT, "the text is empty"),
        (TEXT, TEXT.replace("oven", "oven " + "again and again " * 60), "change less at once"),
    ],
)
def test_what_can_not_be_edited_is_one_line(transcript: str, new: str, line: str) -> None:
    with pytest.raises(InputError, match=line):
        tiny("dit").edit(io.read(RECORDING), transcript, new)


# The command


def test_the_command_keeps_16_bit_samples(tts_fm_command: Command, model_folder: Path, tmp_path: Path) -> None:
    out, new = tmp_path / "out.wav", TEXT.replace("oven", "stove")
    done = tts_fm_command(
        "edit", RECORDING, "-t", TEXT, "-n", new, "-o", out, "-m", model_folder, "--seed", 5, "--json"
    )
    assert done.code == 0, done.stderr
    record = json.loads(done.stdout)
    (change,) = record["changes"]
    assert (change["old"], change["new"], record["seed"], record["text"]) == ("oven", "stove", 5, new)
    assert "oven  stove" in done.stderr and io.read_metadata(out)["seed"] == "5"
    before, rate = soundfile.read(RECORDING, dtype="int16")
    after, new_rate = soundfile.read(out, dtype="int16")
    assert new_rate == rate == record["sample_rate"]
    start, old_end = (round(t * rate) for t in change["old_span"])
    slack = round(0.001 * rate)  # the record counts milliseconds
    assert np.array_equal(before[: start - slack], after[: start - slack])
    assert np.array_equal(before[old_end + slack :], after[len(after) - len(before) + old_end + slack :])
    assert soundfile.info(out).subtype == "PCM_16"


@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT"])
def test_the_command_keeps_finer_samples(
    tts_fm_command: Command, model_folder: Path, tmp_path: Path, subtype: str
) -> None:
    fine, out = tmp_path / "fine.wav", tmp_path / "out.wav"
    waveform = io.read(RECORDING)
    samples = waveform.samples.numpy() * np.float32(0.7)
    soundfile.write(fine, samples, waveform.sample_rate, subtype=subtype)
    new = TEXT.replace("oven", "stove")
    assert tts_fm_command("edit", fine, "-t", TEXT, "-n", new, "-o", out, "-m", model_folder).code == 0
    assert io.subtype_of(out) == subtype
    assert torch.equal(io.read(out).samples[:9000], io.read(fine).samples[:9000])


def test_the_command_says_what_it_doubts_and_that_nothing_changed(
    tts_fm_command: Command, model_folder: Path, tmp_path: Path
) -> None:
    wrong = TEXT.replace("oven", "telephone")
    done = tts_fm_command("edit", RECORDING, "-t", wrong, "-n", wrong, "-o", tmp_path / "o.wav", "-m", model_folder)
    assert done.code == 0 and "the texts say the same" in done.stderr
    assert "warning: the recording may not say 'telephone' at 0." in done.stderr


def test_the_command_refuses_in_one_line(tts_fm_command: Command, model_folder: Path, tmp_path: Path) -> None:
    done = tts_fm_command(
        "edit", RECORDING, "-t", TEXT, "-n", "Nothing.", "-o", tmp_path / "o.wav", "-m", model_folder, "--seed", 1
    )
    assert done.code == 3 and "keeps 0.0 s" in done.line
    done = tts_fm_command("edit", RECORDING, "-t", TEXT, "-n", TEXT, "-o", tmp_path / "o.xyz")
    assert done.code == 2 and "suffix" in done.line
    done = tts_fm_command("edit", tmp_path / "no.wav", "-t", TEXT, "-n", TEXT, "-o", tmp_path / "o.wav")
    assert done.code == 3 and "no file" in done.line
    done = tts_fm_command("edit", RECORDING, "-t", TEXT, "-n", TEXT, "--leaps", "2", "--steps", "4")
    assert done.code == 2 and "--leaps says how many steps there are; leave out --steps" in done.stderr
    done = tts_fm_command(
        "edit",
        RECORDING,
        "-t",
        TEXT,
        "-n",
        f"{TEXT} Yes.",
        "--leaps",
        "2",
        "-m",
        model_folder,
        "-o",
        tmp_path / "o.wav",
    )
    assert done.code == 2 and "was not taught to leap" in done.stderr
