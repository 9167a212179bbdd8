"""Mark-up: tags in brackets and SSML mean the same stretches, a wrong tag is one line with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_fm.errors import InputError
from tts_fm.story import Role, Turn, directed, plan, speak
from tts_fm.synthesizer import Synthesizer
from tts_fm.text import tags
from tts_fm.text.directions import STRANGERS, Stretch
from tts_fm.text.lexicon import shown
from tts_fm.text.normalize import read, written_words


@pytest.fixture(scope="module")
def tiny(model_folder: Path) -> Synthesizer:
    return Synthesizer.load(str(model_folder), device="cpu")


@pytest.fixture(scope="module")
def bundled() -> Synthesizer:
    return Synthesizer.load(vocoder="griffin_lim", device="cpu")


def brief(text: str) -> list[tuple[str, str, float | None, float]]:
    """Return who says what, how fast, after what silence."""
    return [(turn.voice, turn.text, turn.speed, turn.pause) for turn in directed(text)]


def said(turn: Turn) -> str:
    """Return how a turn is read."""
    return shown(read(turn.text, turn.lexicon).text)


@pytest.mark.parametrize(
    ("tagged", "xml", "turns"),
    [
        ("One. Two.", "<speak>One. Two.</speak>", [("main", "One. Two.", None, 0.0)]),
        (
            "One. [pause 0.5s]Two, [pause 250ms] three.",
            "<speak>One. <break time='0.5s'/>Two, <break time='250ms'/> three.</speak>",
            [("main", "One.", None, 0.0), ("main", "Two,", None, 0.5), ("main", "three.", None, 0.25)],
        ),
        (
            "One.[pause 1s] [pause .5s]Two.",
            "<speak>One.<break time='1s'/> <break time='500ms'/>Two.</speak>",
            [("main", "One.", None, 0.0), ("main", "Two.", None, 1.5)],
        ),
        (
            "It is [rate 0.8]slow[/rate], then fast. [rate 1.5]Run![/rate] Stop.",
            "<speak>It is <prosody rate='80%'>slow</prosody>, then fast. <prosody rate='+50%'>Run!</prosody> Stop.</speak>",
            [
                ("main", "It is", None, 0.0),
                ("main", "slow,", 0.8, 0.0),
                ("main", "then fast.", None, 0.0),
                ("main", "Run!", 1.5, 0.2),
                ("main", "Stop.", None, 0.2),
            ],
        ),
        (
            "[rate 2]One [rate 0.5]two[/rate] three[/rate].",
            "<speak><prosody rate='2'>One <prosody rate='0.5'>two</prosody> three</prosody>.</speak>",
            [("main", "One", 2.0, 0.0), ("main", "two", 1.0, 0.0), ("main", "three.", 2.0, 0.0)],
        ),
        (
            "Hello. [voice anna]Good day. [pause 1s][voice main]Bye.",
            "<speak>Hello. <voice name='anna'>Good day. </voice><break time='1s'/>Bye.</speak>",
            [("main", "Hello.", None, 0.0), ("anna", "Good day.", None, 0.4), ("main", "Bye.", None, 1.0)],
        ),
        (
            "One\n\nTwo\nlines.",
            "<speak><p>One</p><p>Two\nlines.</p></speak>",
            [("main", "One", None, 0.0), ("main", "Two lines.", None, 0.4)],
        ),
    ],
)
def test_both_notations_give_the_same_turns(tagged, xml, turns):
    assert [(voice, " ".join(text.split()), speed, pause) for voice, text, speed, pause in brief(tagged)] == turns
    assert brief(xml) == turns


def test_a_quotation_mark_stays_with_its_words():
    turns = [("main", "She said", None, 0.0), ("main", '"Hi".', 0.8, 0.0)]
    assert brief('She said [rate 0.8]"Hi"[/rate].') == turns


def test_a_sentence_of_ssml_ends_with_a_mark():
    assert brief("<speak><s>One</s><s>Two?</s><s>Three</s></speak>") == [("main", "One. Two? Three.", None, 0.0)]


@pytest.mark.parametrize(
    "text",
    [
        "You read what I [say ɹˈɛd]read[/say], and read it.",
        "<speak>You read what I <phoneme alphabet='ipa' ph='ɹˈɛd'>read</phoneme>, and read it.</speak>",
    ],
)
def test_sounds_count_for_the_marked_word_alone_which_keeps_its_spelling(text):
    (turn,) = directed(text)
    assert said(turn) == "You read what I /ɹˈɛd/, and read it."
    assert [word.text for word in written_words(turn.text, turn.lexicon)] == turn.text.split()


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("The [spell]NASA[/spell] of [spell]b2[/spell].", "The N, A, S, A of B, two."),
        ("<speak>Ask <say-as interpret-as='characters'>us</say-as>, not us.</speak>", "Ask U, S, not us."),
        ("[say ˈniːʃ]niche[/say]'s [say /nɪtʃ/]niche[/say] niche", "/ˈniːʃ/'s /nɪtʃ/ niche"),
        (r"A \[note\] stays.", "A [note] stays."),
    ],
)
def test_words_are_read_as_their_tags_say(text, spoken):
    (turn,) = directed(text)
    assert said(turn).replace("/ˈniːʃᵻz/", "/ˈniːʃ/'s") == spoken


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("One\n  [paus 1s] two", "line 2, column 3", r"\[paus 1s\] is not understood"),
        ("One [anna] two", "line 1, column 5", r"\[voice anna\] gives the word"),
        ("One [pause] two", "line 1, column 5", "is not understood"),
        ("One [pause 90s] two", "line 1, column 5", "60s at most"),
        ("One [pause soon] two", "line 1, column 5", "is no length"),
        ("[pause 1s] two", "line 1, column 1", "none before it"),
        ("Two [pause 1s] .", "line 1, column 5", "none behind it"),
        ("One [rate 9]two[/rate]", "line 1, column 5", "out of range"),
        ("One [rate x]two[/rate]", "line 1, column 5", "is no rate"),
        ("One [rate 2]two", "line 1, column 5", "has no end"),
        ("One [/rate] two", "line 1, column 5", "ends nothing"),
        ("[rate 2]a [spell]b[/rate] c", "line 1, column 19", r"\[spell\] waits"),
        ("[spell]a [pause 1s][/spell]", "line 1, column 10", "holds words alone"),
        ("One [voice a]two[/voice]", "line 1, column 17", "has no end"),
        ("un[say ɹɛd]read[/say]able", "line 1, column 3", "whole word"),
        ("a [say 12]read[/say]", "line 1, column 3", "IPA"),
        ("a [spell]-[/spell]", "line 1, column 3", "no letter or digit"),
        ("a [ b", "line 1, column 3", "is no tag"),
        ("<speak>One\n<emphasis>two</emphasis></speak>", "line 2, column 1", "<emphasis> cannot be spoken"),
        ("<speak>One <prosody pitch='x'>two</prosody></speak>", "line 1, column 12", "cannot have pitch"),
        ("<speak>One <break time='1h'/>two</speak>", "line 1, column 12", "is no length"),
        ("<speak>One <break strength='huge'/>two</speak>", "line 1, column 12", "x-strong"),
        ("<speak>a <prosody rate='quick'>b</prosody></speak>", "line 1, column 10", "the rate 'quick'"),
        ("<speak>a <say-as interpret-as='date'>b</say-as></speak>", "line 1, column 10", "are read as such"),
        ("<speak>a <phoneme alphabet='x-sampa' ph='i'>b</phoneme></speak>", "line 1, column 10", "alphabet"),
        ("<speak>a <voice>b</voice></speak>", "line 1, column 10", 'needs name="..."'),
        ("<speak>Salt & pepper</speak>", "line 1, column 14", "this is no XML"),
        ("<speak>One</p></speak>", "line 1, column 13", "this is no XML"),
        ("a [pause 40s][pause 30s] b", "line 1, column 14", "last 70 s together; give 60s at most"),
        ("<speak>&other;</speak>", "line 1, column 8", "no XML"),
        ("<?xml version='1.0'?>\n<speak>One <x/></speak>", "line 2, column 12", "<x>"),
    ],
)
def test_a_wrong_tag_is_one_line_with_its_place(text, where, message):
    with pytest.raises(InputError, match=message) as caught:
        directed(text)
    assert str(caught.value).startswith(f"{where}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("is_xml", [False, True])
def test_strangers_have_so_many_tags_and_so_much_silence_and_no_more(is_xml):
    pause, rate = (
        ('<break time="{}s"/>', '<prosody rate="2">a</prosody> ') if is_xml else ("[pause {}s]", "[rate 2]a[/rate] ")
    )

    def text(body: str) -> str:
        return f"<speak>{body}</speak>" if is_xml else body

    most = STRANGERS.directions - is_xml  # <speak> is one
    assert len(directed(text(rate * most), STRANGERS)) == most
    with pytest.raises(InputError, match=r"^line 1, column \d+: the text has more than 200 tags"):
        directed(text(rate * (most + 1)), STRANGERS)
    halves = f"a {pause.format(STRANGERS.silence / 2)}" * 2
    assert sum(turn.pause for turn in directed(text(f"{halves} b"), STRANGERS)) == STRANGERS.silence
    with pytest.raises(InputError, match=r"^line 1, column \d+: the pauses of the text last more than 60 s together"):
        directed(text(f"{halves} b {pause.format(0.1)} c"), STRANGERS)
    paragraphs = "<p>a</p>" if is_xml else "a\n\n"
    with pytest.raises(
        InputError, match="more than 200 tags" if is_xml else "201 stretches, of which 200 are the most"
    ):
        directed(text(paragraphs * 201), STRANGERS)
    assert len(directed(text(rate * 300 + f"{halves} b {pause.format(60)} c"))) > 300  # whose machine it is


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "[pause 1s]",
                "[say i]",
                "[/say]",
                "[spell]",
                "[/spell]",
                "[rate 2]",
                "[/rate]",
                "[voice a]",
                "a",
                "a b. ",
                ".",
                " ",
                "\n\n",
                "[",
                "]",
                "\\[",
                "<speak>",
                "</speak>",
                "<p>",
                "</p>",
                "<break/>",
                "<s>",
                "</s>",
                "&",
                "é",
                "*",
            ]
        )
    ).map("".join)
)
def test_any_text_is_turns_or_one_line(text):
    try:
        turns = directed(text)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert all(any(character.isalnum() for character in turn.text) for turn in turns)


def test_brackets_are_text_without_the_option(tts_fm_command):
    for options, length in (((), 1), (("--markup",), 2)):
        done = tts_fm_command("synthesize", "--text", "One [pause 1s] two.", "--dry-run", "--json", *options)
        assert len(json.loads(done.stdout)["turns"]) == length


def test_entities_are_not_read():
    bomb = "<?xml version='1.0'?><!DOCTYPE speak [<!ENTITY a 'ha'>]><speak>&a;</speak>"
    with pytest.raises(InputError, match="^line 1, column .*a DOCTYPE or an entity is not read"):
        directed(bomb)


def test_a_text_without_words_is_refused():
    with pytest.raises(InputError, match="no words between its tags"):
        directed("[voice anna] ...")


def test_what_is_plain_is_one_stretch():
    assert tags.parse("A plain (old) text, 5 < 6.") == (Stretch("A plain (old) text, 5 < 6."),)


def test_the_sound_has_the_pauses_and_rates_that_are_asked_for(tiny):
    turns = directed("Two words. [pause 0.75s]Two words. [rate 0.5]Two words.[/rate]")
    story = speak(tiny, turns, {"main": Role(None)})
    first, second, third = story.turns
    assert second.start - first.end == pytest.approx(0.75, abs=1e-4)
    assert third.start - second.end == pytest.approx(0.2, abs=1e-4)
    assert (third.end - third.start) / (first.end - first.start) == pytest.approx(2, rel=0.05)


def test_the_bundled_voice_is_told_the_sounds(bundled):
    turns = directed("I [say ɹˈɛd]read[/say] it. [pause 1s]I [say lˈiːd]read[/say] it.")
    texts = [shown(one.pieces[0].text) for one in plan(bundled, turns, {"main": Role(None)})]
    assert texts == ["I /ɹˈɛd/ it.", "I /lˈiːd/ it."]


def test_a_sound_that_the_model_does_not_know_is_named_with_its_place(bundled):
    with pytest.raises(ValueError, match="^line 1, column 3: the model .* knows no sound ☃"):
        plan(bundled, directed("I [say ☃]read[/say] it."), {"main": Role(None)})
