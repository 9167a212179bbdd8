"""Words in capitals: a word that is shouted is read as a word, an abbreviation is left to be spelled."""

from __future__ import annotations

import re

from tts_fm.text.rules import Match, next_word, previous_word, rule
from tts_fm.text.tables import words

_AROUND = 60  # characters on each side that tell whether a text is in capitals
_SURE = 3  # words that are surely words: then the text is in capitals, whatever the others are
_WORD = re.compile(r"(?<![\w.])[A-Z][A-Z'’]*(?!\w)")
_SHORTENED = frozenset("d ll re s ve".split())


@rule(
    "A-Z",
    r"(?<![\w.&/])(?:(?<!(?<![A-Za-z])-)[A-Z]{2,15}(?:['’][A-Z]{1,2})?|(?<!-)[AI](?:['’][A-Z]{1,2})?)(?![\w&/]|['’]\w|\.[A-Za-z])",
)
def _shouted(match: Match) -> str | None:
    word = match[0].lower().replace("’", "'")
    if word in ("a", "i"):  # the article, where everything is in capitals; I is I
        return "a" if word == "a" and _is_in_capitals(match, _SURE) else None
    if word.startswith("i'"):
        return f"I{word[1:]}"
    if word in words("capitals", "shout"):
        is_joined = match.string[: match.start()].endswith("-")  # "WA-OR" tells nothing
        return word if _is_in_capitals(match) or (not is_joined and _is_word_here(match, word)) else None
    if word in words("capitals", "word") or _is_shortened(word):
        return word
    is_abbreviation = match[0] in words("capitals", "abbreviation")
    return None if is_abbreviation or not _is_in_capitals(match, _SURE) else word


def _is_shortened(word: str) -> bool:
    """Whether it is a word and the rest of another: "dad's", "we'd", "who'll", but not of an abbreviation: "US's"."""
    stem, _, rest = word.partition("'")
    kinds = ("word",) if rest == "s" else ("word", "shout")
    return rest in _SHORTENED and any(stem in words("capitals", kind) for kind in kinds)


def _is_word_here(match: Match, word: str) -> bool:
    """Whether the words beside tell: "I AM", "tell US", "do IT", "this OR that", "WHO is that?"."""
    before, after = previous_word(match).lower(), next_word(match)
    if word in ("or", "in"):  # not of "Portland, OR"
        return before != "" and after.islower()
    if word == "who":
        sentence = re.split(r"[.!?]", match.string[match.end() : match.end() + 200], maxsplit=1)[0]
        return match.string[match.end() + len(sentence) : match.end() + len(sentence) + 1] == "?"
    if word == "it":
        return before in words("capitals", "after_it") and not after.endswith(("department", "support"))
    return before in words("capitals", f"after_{word}")


def _is_in_capitals(match: Match, at_least: int = 1) -> bool:
    """Whether the sentence around has no small letter, and so many other words that are surely words."""
    text, start, end = match.string, match.start(), match.end()
    before = re.split(r"[.!?:]\s", text[max(0, start - _AROUND) : start])[-1]
    after = re.split(r"[.!?:](?:\s|$)", text[end : end + _AROUND])[0]
    beside = f"{before.rpartition(' ')[0][-20:] if not before.endswith(' ') else before[-20:]}|{after[:20]}"
    if any(character.islower() for character in beside):
        return False
    sure = {
        word for word in _WORD.findall(f"{before} {after}") if word.lower() in words("capitals", "word") | {"i", "a"}
    }
    return len(sure) >= at_least


RULES = (_shouted,)
