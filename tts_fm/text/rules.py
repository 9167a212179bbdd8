"""How one written form is read: a rule is a pattern and what to say for it; the first that applies wins."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

Match = re.Match[str]


@dataclass(frozen=True)
class Replacement:
    """A piece of the text, where it starts, what is read in its place, and the rule that says so."""

    source: str
    spoken: str
    start: int
    rule: str = ""

    @property
    def end(self) -> int:
        """Where the piece ends."""
        return self.start + len(self.source)


@dataclass(frozen=True)
class Rule:
    """``speak`` returns the words for a match, or None where the rule does not apply after all.

    ``starts`` are the characters (as inside ``[...]``) that a match can begin with; a letter only where a word begins.
    ``then`` are the characters that may follow where it begins with a number, a space between not counted (``a`` is any
    letter, ``0`` any digit; empty: whatever): most rules need not be tried behind most numbers. Every repetition in
    ``source``, the pattern, is bounded or begins at a guarded place, so that scanning takes linear time.
    """

    starts: str
    source: str
    speak: Callable[[Match], str | None]
    then: str = ""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern, compiled when it is first needed: most texts need few of them."""
        return re.compile(self.source)

    @property
    def name(self) -> str:
        """What the rule is called, for those who ask why."""
        return self.speak.__name__.strip("_").replace("_", " ")


def rule(starts: str, pattern: str, then: str = "") -> Callable[[Callable[[Match], str | None]], Rule]:
    """Make a ``Rule`` of the decorated function."""
    return lambda speak: Rule(starts, pattern, speak, then)


_SELDOM = 1000
FRACTIONS = "½¼¾⅛⅜⅝⅞⅓⅔⅕⅖⅗⅘⅙⅚"
_BEHIND_A_NUMBER = re.compile(r"(?:\d{1,3}(?: \d{3}){1,5}(?<= 000)(?! ?\d)|[\d.,]{1,80})\s?(.?)")


class Scanner:
    """Reads a text from left to right, trying ``rules`` in order wherever one could begin."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._start = re.compile(f"(?<!\\w)[A-Za-z]|(?![A-Za-z])[{''.join(each.starts for each in rules)}]")
        self._then = frozenset("".join(each.then for each in rules)) - {"a", "0", "\\"}
        self._choices: dict[tuple[str, str], Choice] = {}

    def scan(self, text: str, taken: Sequence[Replacement] = ()) -> Iterator[Replacement]:
        """Yield what is read differently from how it is written, from left to right; ``taken`` goes before every rule."""
        position, waiting = 0, [*taken][::-1]
        while (candidate := self._start.search(text, position)) is not None:
            start = candidate.start()
            position = start + 1
            while waiting and waiting[-1].start <= start:
                yield waiting[-1]
                position = max(position, waiting.pop().end)
            if position > start + 1:
                continue
            limit = waiting[-1].start if waiting else len(text)
            key = (candidate[0], "") if not candidate[0].isdecimal() else ("0", self._follows(text, start))
            choice = self._choices.get(key) or self._choice(key)
            for each in choice.from_first(text, start):
                match = each.pattern.match(text, start)
                spoken = None if match is None or match.end() > limit else each.speak(match)
                if match is not None and spoken is not None:
                    if spoken != match[0]:
                        yield Replacement(match[0], spoken, start, each.name)
                    position = max(match.end(), position)
                    break
        yield from waiting[::-1]

    def _follows(self, text: str, start: int) -> str:
        """What stands behind the number at ``start``, as ``then`` of a rule names it; a space for anything else."""
        behind = _BEHIND_A_NUMBER.match(text, start)
        character = "" if behind is None else behind[1]
        if character.isalpha():
            return "a"
        return "0" if character.isdecimal() else character if character in self._then else " "

    def _choice(self, key: tuple[str, str]) -> Choice:
        """The rules that can begin so."""
        character, follows = key
        self._choices[key] = Choice(
            tuple(
                each
                for each in self._rules
                if re.match(f"[{each.starts}]", character)
                and (not each.then or not follows or re.match(f"[{each.then}]", follows))
            )
        )
        return self._choices[key]


@dataclass
class Choice:
    """Rules to try in order; where they are tried often one pattern tells which is the first to match.

    To compile that takes as long as two thousand trials of the rules one by one, which share theirs between all choices.
    """

    rules: tuple[Rule, ...]
    trials: int = 0

    def from_first(self, text: str, start: int) -> tuple[Rule, ...]:
        """Return the rules from the first that matches at ``start`` on, all of them as long as they are seldom tried."""
        self.trials += 1
        if self.trials <= _SELDOM:
            return self.rules
        first = self._joined.match(text, start)
        return () if first is None else self.rules[int((first.lastgroup or "r0")[1:]) :]

    @cached_property
    def _joined(self) -> re.Pattern[str]:
        patterns = (_without_captures(each.source) for each in self.rules)
        return re.compile("|".join(f"(?P<r{i}>{pattern})" for i, pattern in enumerate(patterns)) or "(?!)")


def _without_captures(pattern: str) -> str:
    """Named groups become plain ones: only the rules' own names may stand in the joined pattern."""
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)


def any_of(names: Collection[str]) -> str:
    """The pattern of one of ``names``, the longest first; where none can begin it fails at once."""
    firsts = "".join(sorted({re.escape(name[0]) for name in names}))
    return f"(?=[{firsts}])(?:{'|'.join(sorted(map(re.escape, names), key=len, reverse=True))})"


def next_word(match: Match) -> str:
    """The word after the match, if only a space lies between."""
    word = re.compile(r"\s?([\w'’]{1,30})").match(match.string, match.end())
    return "" if word is None else word[1]


SIGNS = {"-": "minus ", "−": "minus ", "+": "plus ", "±": "plus or minus ", "~": "about ", None: ""}
"""What is said for the sign before a number."""


def is_adjective(match: Match) -> bool:
    """Whether a thing of that amount follows: "a $5 fee", "$100-a-day", "a 3 km run"."""
    after = match.string[match.end() : match.end() + 2]
    if after[:1] == "-":
        return after[1:].isalpha()
    return previous_word(match).lower() in ("a", "an") and after[:1] == " " and next_word(match).islower()


def previous_word(match: Match) -> str:
    """The word before the match, if only a space lies between."""
    word = re.search(r"([\w'’]{1,30})\s?$", match.string[max(0, match.start() - 32) : match.start()])
    return "" if word is None else word[1]


_COUNTED = frozenset(
    "people men women children mice feet teeth geese sheep fish police more of out percent times abreast".split()
)
_NOT_COUNTED = frozenset(
    "is was has as this its his us always perhaps does yes plus less unless towards besides".split()
)


def counts_things(match: Match) -> bool:
    """Whether the number that ends the match counts what follows: "5 people", "3 of them", "10 miles"."""
    after = next_word(match)
    return after in _COUNTED or (
        after.islower()
        and len(after) > 2
        and after.endswith("s")
        and not after.endswith("ss")
        and after not in _NOT_COUNTED
    )


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
