"""Money in words: symbols before and behind their amounts, cents, ranges, scales, decimal commas."""

from __future__ import annotations

import re

from tts_fm.text.numbers import NUMBER, cardinal, digits, number, plural, ungrouped
from tts_fm.text.rules import SIGNS, Match, any_of, is_adjective, next_word, rule
from tts_fm.text.units import CURRENCIES, CURRENCIES_BEHIND, SCALES

_SCALE = (
    r"(?:[\s-]?(?P<scale>thousand|million|billion|trillion|lakhs?|crores?)|\s?(?P<short>[Mm]n|[Bb]n|[Tt]n|mln|bln|trn|MM|mil|bil|Mio\.?|Mrd\.?)|"
    r"(?P<letter>[kKmMbBT]))(?!\w)"
)
_BEFORE = [symbol for symbol in CURRENCIES if symbol not in CURRENCIES_BEHIND]
_AFTER = [symbol for symbol in CURRENCIES if not (symbol[0].isalpha() and symbol[-1] in "$.")]
_WORDS_BEFORE, _SIGNS_BEFORE = ([s for s in _BEFORE if s[0].isalpha() is is_word] for is_word in (True, False))
_WORDS_AFTER, _SIGNS_AFTER = ([s for s in _AFTER if s[-1].isalpha() is is_word] for is_word in (True, False))
_SYMBOL = rf"(?:(?<!\w){any_of(_WORDS_BEFORE)}|{any_of(_SIGNS_BEFORE)})"
_SYMBOL_AFTER = rf"(?:{any_of(_WORDS_AFTER)}(?!\w)|{any_of(_SIGNS_AFTER)})"
_CODE = any_of([symbol for symbol in CURRENCIES if re.fullmatch("[A-Z]{3}", symbol)])
_MONEY_SIGNS = "".join(sorted({re.escape(symbol[0]) for symbol in CURRENCIES if not symbol[0].isalpha()}))
_STARTS = rf"\-−+~{''.join(sorted({re.escape(symbol[0]) for symbol in CURRENCIES}))}"
_COMMA = (
    r"(?:\d{1,3}(?:[. ]\d{3}){0,4},(?:\d{1,2}|[-–—])(?![\w]|[.,]\d)|\d{1,3}(?:\.\d{3}){1,4}(?!\w|[.,]\d)|"
    r"\d{1,6}\.[-–—](?!\w))"
)
_DOTTED_THOUSANDS = frozenset("€ EUR euro euros Euro kr SEK NOK DKK Rp IDR R$ ₺ ₫ VND".split())


@rule(
    _STARTS,
    rf"(?P<sign>(?<![\w.)\]%])[-−+~]\s?)?(?P<symbol>{_SYMBOL})\s?(?P<minus>[-−](?=[\d.]))?(?P<n>{NUMBER})"
    rf"(?:\s?[-–—]\s?(?:{_SYMBOL})?(?P<to>{NUMBER}))?(?:{_SCALE})?(?: (?P<code>{_CODE})(?!\w))?",
)
def _money(match: Match) -> str | None:
    return SIGNS[(match["sign"] or match["minus"] or " ").strip() or None] + _amounts(match)


@rule(
    _STARTS,
    rf"(?<!\w)(?P<symbol>{_SYMBOL})\s?(?P<n>{NUMBER})(?P<from>[kKmMbBT])\s?[-–—]\s?(?P<to>{NUMBER})(?P<until>[kKmMbBT])(?!\w)",
)
def _money_with_two_scales(match: Match) -> str | None:
    """ "$1.5M-2M"."""
    parts = ((match["n"], match["from"]), (match["to"], match["until"]))
    return f"{' to '.join(f'{number(n)} {SCALES[scale]}' for n, scale in parts)} {CURRENCIES[match['symbol']][1]}"


@rule(
    r"\d.\-−+±~",
    rf"(?P<sign>(?<![\w.)\]%])[-−+±~])?(?<![\w.,])(?P<n>{NUMBER})(?:\s?[-–]\s?(?P<to>{NUMBER}))?(?:{_SCALE})?"
    rf"\s?(?P<symbol>{_SYMBOL_AFTER})(?![\d])",
    then=rf"a\-–{_MONEY_SIGNS}",
)
def _money_after(match: Match) -> str | None:
    return SIGNS[match["sign"]] + _amounts(match)


def _amounts(match: Match) -> str:
    """A range like "$5-10 million" names its scale and currency once, "$5.50-$6.50" in each part."""
    code = match.groupdict().get("code")
    singular, plural, cent, cents = CURRENCIES[match["symbol"] if code is None else code]
    scale = SCALES.get(match["scale"] or match["short"] or match["letter"], "")
    parts = [part for part in (match["n"], match["to"]) if part is not None]
    if not scale and cent and any(re.search(r"\.\d\d$", part) for part in parts):
        return " to ".join(_with_cents(part, singular, plural, cent, cents) for part in parts)
    is_one = parts == ["1"] and not scale
    is_cash = next_word(match) in ("bill", "bills", "note", "notes", "coin", "coins")  # "a few $5 bills"
    name = singular if is_one or is_cash or is_adjective(match) else plural
    return " ".join(filter(None, [" to ".join(map(number, parts)), scale, name]))


def _with_cents(amount: str, singular: str, plural: str, cent: str, cents: str) -> str:
    whole, _, decimals = ungrouped(amount).partition(".")
    words = []
    if whole.strip("0") or not decimals.strip("0"):
        words.append(f"{number(whole or '0')} {singular if whole == '1' else plural}")
    if decimals.strip("0"):
        rest = decimals.ljust(2, "0")
        is_hundredths = len(rest) == 2
        words.append(f"{number(rest.lstrip('0'))} {cent if rest == '01' else cents}" if is_hundredths else digits(rest))
    return " and ".join(words)


@rule(
    rf"\d{_STARTS}",
    rf"(?P<sign>(?<![\w.)\]%])[-−+~]\s?)?(?<![\w.,])(?:(?P<before>{_SYMBOL})\s?(?P<n>{_COMMA})(?:{_SCALE})?|"
    rf"(?P<m>{_COMMA})\s?(?P<after>{_SYMBOL_AFTER})(?!\d))",
    then=rf"a0\-–—{_MONEY_SIGNS}",
)
def _decimal_comma(match: Match) -> str | None:
    """ "27,50 €", "€1.234,56", "1.000 €", "25,- €"; but "$1.000" is one dollar."""
    symbol, amount = match["before"] or match["after"], match["n"] or match["m"]
    if re.fullmatch(r"[\d.]+", amount) and symbol not in _DOTTED_THOUSANDS:
        return None
    one, many, cent, cents = CURRENCIES[symbol]
    scale = SCALES.get(match["scale"] or match["short"] or match["letter"], "")
    whole, _, rest = re.sub(r"\.(?=\d)| ", "", amount).replace(",", ".").partition(".")
    rest = rest.strip("-–—")
    sign = SIGNS[(match["sign"] or " ").strip() or None]
    if scale or len(rest) == 1:
        return " ".join(filter(None, [sign + number(f"{whole}.{rest}" if rest else whole), scale, many]))
    written = f"{whole}.{rest}" if rest.strip("0") and cent else whole
    return sign + _with_cents(written, one, many, cent, cents)


@rule(_STARTS, rf"(?P<symbol>{_SYMBOL})(?P<n>\d{{1,3}}0)['’]?s(?!\w)")
def _notes(match: Match) -> str | None:
    """ "in $20s"."""
    return plural(cardinal(int(match["n"])))


@rule(r"$", r"\$(?=[A-Za-z_])")
def _variable(match: Match) -> str | None:
    """ "$HOME"."""
    return "dollar "


@rule("A-Z", rf"(?<!\w)(?P<a>{_CODE})/(?P<b>{_CODE})(?!\w)")
def _exchange(match: Match) -> str | None:
    """ "EUR/USD 1.08"."""
    return f"{match['a']} {match['b']}"


@rule(r"\d", r"(?<![\w.,])(?P<n>\d{1,2})(?P<coin>[pc])(?!\w|\.\w)", then="a")
def _coins(match: Match) -> str | None:
    """ "50p" and "75c"; pictures have more lines than 99."""
    one, many = ("penny", "pence") if match["coin"] == "p" else ("cent", "cents")
    return f"{number(match['n'])} {one if match['n'] == '1' or is_adjective(match) else many}"


@rule(r"\s\-–", rf"(?<=[\dkKmMbBnT])\s?[-–]\s?(?=(?:{_SYMBOL})\d)")
def _to_an_amount(match: Match) -> str | None:
    """The dash in "$5M-$10M"."""
    return " to "


COMMAS = (_decimal_comma,)
"""Before dates."""

RULES = (_exchange, _notes, _money_with_two_scales, _money, _money_after, _coins, _to_an_amount, _variable)
