"""How one written form is read: a rule is a pattern and what to say for it; the first that applies wins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

Match = re.Match[str]


@dataclass(frozen=True)
class Replacement:
    """A piece of the text, where it starts, and what is read in its place."""

    source: str
    spoken: str
    start: int


@dataclass(frozen=True)
class Rule:
    """``speak`` returns the words for a match, or None where the rule does not apply after all.

    ``starts`` are the characters (as inside ``[...]``) that a match can begin with; a letter only where a word begins.
    Every repetition in ``pattern`` is bounded or begins at a guarded place, so that scanning takes linear time.
    """

    starts: str
    pattern: re.Pattern[str]
    speak: Callable[[Match], str | None]


def rule(starts: str, pattern: str) -> Callable[[Callable[[Match], str | None]], Rule]:
    """Make a ``Rule`` of the decorated function."""
    return lambda speak: Rule(starts, re.compile(pattern), speak)


class Scanner:
    """Reads a text from left to right, trying ``rules`` in order wherever one could begin."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._start = re.compile(f"(?<!\\w)[A-Za-z]|(?![A-Za-z])[{''.join(each.starts for each in rules)}]")
        self._choices: dict[str, tuple[re.Pattern[str], tuple[Rule, ...]]] = {}

    def scan(self, text: str) -> Iterator[Replacement]:
        """Yield what is read differently from how it is written, from left to right."""
        position = 0
        while (found := self._start.search(text, position)) is not None:
            start = found.start()
            position = start + 1
            pattern, rules = self._choices.get(found[0]) or self._choice(found[0])
            candidate = pattern.match(text, start)
            if candidate is None:
                continue
            for each in rules[int((candidate.lastgroup or "r0")[1:]) :]:
                match = each.pattern.match(text, start)
                spoken = None if match is None else each.speak(match)
                if match is not None and spoken is not None:
                    if spoken != match[0]:
                        yield Replacement(match[0], spoken, start)
                    position = max(match.end(), position)
                    break

    def _choice(self, character: str) -> tuple[re.Pattern[str], tuple[Rule, ...]]:
        """The rules that can begin with ``character``, and one pattern that tells which is the first to match."""
        rules = tuple(each for each in self._rules if re.match(f"[{each.starts}]", character))
        patterns = (_without_captures(each.pattern.pattern) for each in rules)
        pattern = re.compile("|".join(f"(?P<r{i}>{pattern})" for i, pattern in enumerate(patterns)) or "(?!)")
        self._choices[character] = (pattern, rules)
        return self._choices[character]


def _without_captures(pattern: str) -> str:
    """Named groups become plain ones: only the rules' own names may stand in the joined pattern."""
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)


def next_word(match: Match) -> str:
    """The word after the match, if only a space lies between."""
    found = re.compile(r"\s?([\w'’]{1,30})").match(match.string, match.end())
    return "" if found is None else found[1]


def previous_word(match: Match) -> str:
    """The word before the match, if only a space lies between."""
    found = re.search(r"([\w'’]{1,30})\s?$", match.string[max(0, match.start() - 32) : match.start()])
    return "" if found is None else found[1]


_SENTENCE_STARTERS = frozenset(
    "A About After All Also Although An And Any Are As At Because Before Both But By Can Could Did Do Does Each Even Every "
    "For From Had Has Have He Her Here His How However I If In Into Is It Its Just Let Like Many Maybe Most My Never No Not "
    "Now Of On Once One Only Or Other Our Over Perhaps Please She Should Since So Some Soon Still Such Than That The Their "
    "Then There These They This Those Though Through Thus To Today Tomorrow Two Under Until Up Upon Was We Well Were What "
    "When Where Whether Which While Who Why Will With Would Yes Yesterday Yet You Your".split()
)
_AT_THE_END = re.compile(r"[\"'”’)\]]{0,3}(?:$|\s+[\"'“‘(]?(?P<word>[A-Z][A-Za-z]{0,20}))")


def starts_a_sentence(word: str) -> bool:
    """Whether a capitalised word is one that is capitalised only where a sentence begins."""
    return word in _SENTENCE_STARTERS


def full_stop(match: Match) -> str:
    """The dot that must stay where the dot of an abbreviation also ends the sentence, else nothing."""
    after = _AT_THE_END.match(match.string, match.end())
    if not match[0].rstrip().endswith(".") or after is None:
        return ""
    return "." if after["word"] is None or starts_a_sentence(after["word"]) else ""
