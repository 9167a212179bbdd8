"""How English is read: every line of the tables of readings, and the data that the rules look up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tts_fm.text import capitals, dates, identifiers, lengths, mathematics, measures, money, quantities, rules, words
from tts_fm.text import normalize as normalize_module
from tts_fm.text.abbreviations import SYMBOLS
from tts_fm.text.normalize import normalize, trace, without_capitals
from tts_fm.text.tables import rows
from tts_fm.text.units import CURRENCIES, UNITS

_DATA = Path(__file__).parent / "data"


def _table(name: str) -> list[list[str]]:
    lines = (_DATA / name).read_text(encoding="utf-8").splitlines()[1:]
    return [line.split("\t") for line in lines]


def _has(words: str, text: str) -> bool:
    """Whether ``words`` stand in ``text``; one that ends in a letter ends a word there where it is a short one."""
    return (
        re.search(
            rf"{re.escape(words)}{'(?![A-Za-z])' if re.search(r'(?<![A-Za-z])[A-Za-z]{1,2}$', words) else ''}", text
        )
        is not None
    )


@pytest.mark.parametrize(("kind", "text", "wrong", "right"), [(*row, "")[:4] for row in _table("cases/readings.tsv")])
def test_reported_texts_are_read(kind, text, wrong, right):
    spoken = normalize(text)
    assert not wrong or not _has(wrong, spoken)
    assert right in spoken


@pytest.mark.parametrize(("kind", "text", "spoken"), _table("neighbours.tsv"))
def test_neighbours_of_what_was_reported_are_read(kind, text, spoken):
    assert normalize(text.replace("\\n", "\n")) == spoken


def test_every_kind_has_five_neighbours():
    kinds = [row[0] for row in _table("neighbours.tsv")]
    assert min(kinds.count(kind) for kind in {row[0] for row in _table("cases/readings.tsv")}) >= 5


@pytest.mark.parametrize("symbol", sorted(UNITS))
def test_every_unit_is_read(symbol):
    unit = UNITS[symbol]
    gap = "" if unit.needs == "touching" else " "
    assert normalize(f"It is 7{gap}{symbol}, really.") == f"It is seven {unit.many}, really."


@pytest.mark.parametrize("symbol", sorted(CURRENCIES))
def test_every_currency_is_read_behind_or_before_its_number(symbol):
    many = CURRENCIES[symbol][1]
    spoken = {
        normalize(f"It is {text}, really.") for text in (f"{symbol}7", f"{symbol} 7", f"7 {symbol}", f"7{symbol}")
    }
    assert f"It is seven {many}, really." in spoken


def test_tables_have_no_entry_twice():
    for name in ("units", "currencies", "symbols", "signs", "per", "scripts"):
        written = [row[0] for row in rows(name)]
        assert len(written) == len(set(written)), name
    kinds = [row[:2] for row in rows("abbreviations")]
    assert len(kinds) == len(set(kinds))
    assert SYMBOLS["_"] == " " and SYMBOLS["*"] == ""


def test_every_rule_says_its_name_in_the_trace():
    rules = [
        *capitals.RULES, *dates.RULES, *identifiers.FIRST, *mathematics.FIRST, *measures.RULES, *lengths.RULES, *money.RULES,
        *quantities.RULES, *words.ABBREVIATIONS,
    ]  # fmt: skip
    assert all(re.fullmatch(r"[a-z]+( [a-z]+)*", rule.name) for rule in rules)
    assert [(change.source, change.rule) for change in trace("a BIG $5 bill at 3:30pm")] == [
        ("BIG", "shouted"), ("$5", "money"), ("3:30pm", "clock"),
    ]  # fmt: skip


def test_transcripts_in_capitals_are_words():
    assert (
        without_capitals("MISTER QUILTER SAW THE FBI AND WE ARE GLAD") == "mister quilter saw the FBI and we are glad"
    )
    assert without_capitals("It cost $5 in the USA.") == "It cost $5 in the USA."


@pytest.mark.parametrize("name", ["cases/readings.tsv", "neighbours.tsv", "normalize.tsv"])
def test_rules_read_the_same_one_by_one_and_as_one_pattern(name, monkeypatch):
    texts = [cell for row in _table(name) for cell in row]
    normalize_module._scanner.cache_clear()
    scanner = normalize_module._scanner()
    one_by_one = [list(scanner.scan(text)) for text in texts]
    monkeypatch.setattr(rules, "_SELDOM", 0)
    assert [list(scanner.scan(text)) for text in texts] == one_by_one
    assert sum(map(len, one_by_one)) > 20
