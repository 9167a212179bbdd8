"""Markdown and HTML as plain text: the marks go, the words stay, and each heading and item is a paragraph."""

from __future__ import annotations

import html
import re

_LINES = (
    (re.compile(r"^[ \t]{0,3}(?:`{3,}|~{3,})[^\n`]{0,40}$", re.MULTILINE), ""),  # the fences of code
    (re.compile(r"^[ \t]{0,3}(?:[-*_][ \t]?){3,40}$", re.MULTILINE), ""),  # a rule
    (re.compile(r"^\|?[ \t]?:?-{2,}[-|: \t]{0,200}$", re.MULTILINE), ""),  # the line below a table's head
    (re.compile(r"^[ \t]{0,3}={3,100}[ \t]{0,9}$", re.MULTILINE), ""),  # the line below a heading
    (re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+([^\n]{0,500}?)[ \t]{0,9}#{0,6}[ \t]{0,9}$", re.MULTILINE), r"\n\1\n"),
    (re.compile(r"^[ \t]{0,3}#{2,6}(?=[A-Za-z])", re.MULTILINE), "\n"),  # a heading without its space
    (
        re.compile(
            r"^[ \t]{0,3}\[(?!\^)[^\[\]\n]{1,80}\]:[ \t]+\S{1,2000}(?:[ \t]+[\"'(][^\n]{0,200})?$", re.MULTILINE
        ),
        "",
    ),  # where a link leads
    (re.compile(r"^[ \t]{0,3}\[\^[\w-]{1,40}\]:[ \t]?", re.MULTILINE), "\n"),  # a footnote's own text
    (re.compile(r"^[ \t]{0,9}(?:>(?!=|[ \t]?[\d.,]{1,20}%?$)[ \t]?){1,9}", re.MULTILINE), ""),  # a quotation
    (re.compile(r"^([ \t]{0,9}\d{1,3})\)(?=[ \t])", re.MULTILINE), r"\n\1."),  # a numbered item
    (
        re.compile(r"^[ \t]{0,3}\|[ \t]?([^\n]{1,2000}?)[ \t]?\|[ \t]{0,9}$", re.MULTILINE),
        r"\n\1\n",
    ),  # a row of a table
    (re.compile(r"^[ \t]{0,9}[-*+•][ \t]+(?:\[[ xX]\][ \t]+)?(?=[^\W\d_]|[\"'(\[*_`])", re.MULTILINE), "\n"),  # an item
)
_COUNTED_ITEMS = re.compile(r"(?:^[ \t]{0,9}[-*+•][ \t]+\d[^\n]{0,500}(?:\n|$)){2,100}", re.MULTILINE)
_LINK = (
    re.compile(
        r"!?\[([^\[\]\n]{0,300})\]\(\s?(?:<[^<>\n]{0,500}>|(?:[^()\s]|\([^()\s]{0,100}\)){0,500})(?:\s[\"'][^\"\n]{0,200}[\"'])?\s?\)"
    ),
    r"\1",
)
_INLINE = (
    (re.compile(r"<((?:https?://|mailto:)[^\s<>]{1,500})>"), r"\1"),
    (re.compile(r"<!--[^<>]{0,500}-->"), ""),
    (re.compile(r"<(?:br|p|hr)\s?/?>|</p>", re.IGNORECASE), " "),
    (
        re.compile(
            r"</?(?:[abiupsq]|em|strong|code|span|div|h[1-6]|ul|ol|li|sub|sup|del|ins|mark|small|table|thead|tbody|tr|td|th|"
            r"img|font|center|blockquote|pre|kbd|details|summary|figure|figcaption|section|article|header|footer|main|nav|dl|dt|dd|tt|var|cite|abbr)"
            r"(?:\s[^<>\n]{0,200})?/?>",
            re.IGNORECASE,
        ),
        "",
    ),
    _LINK,
    (re.compile(r"\[([^\[\]\n]{1,300})\]\[[^\[\]\n]{0,100}\]"), r"\1"),
    (re.compile(r"\[\^[\w-]{1,40}\]"), ""),  # a footnote
    (re.compile(r"~~(?=\S)([^~\n]{1,500})~~"), r"\1"),
    (re.compile(r"(\*{2,3}|_{2,3})(?=\S)([^*_\n]{1,500})(?<=\S)\1"), r"\2"),
    (re.compile(r"==(?=[^\s=])([^=\n]{1,500})(?<=\S)=="), r"\1"),
    (re.compile(r"(?<=[A-Za-z])~(\w{1,8})~"), r"\1"),  # a subscript
    (re.compile(r"(?<!`)(`{1,2})([^`\n]{1,500})\1(?!`)"), r"\2"),
    (re.compile(r"(?<!\S):(?:[a-z][a-z_+0-9]{1,30}|[+-]1):(?!\S)"), ""),  # the name of a pictogram
    (re.compile(r"(?<![\\\w:])\\([*_#`~])|\\([\\`*_{}\[\]()#+.!~>|-])(?![A-Za-z])|(?<=\w)\\([_*])(?=\w)"), r"\1\2\3"),
)
_MARKS = re.compile(r"[#>*_`~=\[<&\\|]|^[ \t]*(?:[-+•]|\d{1,3}\))|-{2}|:[a-z+-]", re.MULTILINE)
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6});")


def without_markup(text: str) -> str:
    """Return ``text`` without the marks of Markdown and the tags of HTML; what only looks like one stays."""
    if _MARKS.search(text) is None:
        return text
    text = text.replace("\r\n", "\n")
    text = _COUNTED_ITEMS.sub(lambda items: re.sub(r"(?m)^[ \t]*[-*+•][ \t]+", "\n", items[0]), text)
    for pattern, plain in (*_LINES, *_INLINE, _LINK):  # twice: a link may have a picture for its words
        text = pattern.sub(plain, text)
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
