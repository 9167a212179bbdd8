"""Published lists of what is to be spoken, and the rules of those who judge by them; each other file here is one protocol.

Their normalisers are not each other's, nor are their averages: figures by two protocols cannot be compared.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from tts_fm import plugins
from tts_fm.plugins import Plugin

Average = Literal["mean of utterances", "over all words"]
"""The mean of the utterances' word error rates; or all wrong words over all words (the micro average)."""

HANZI_PUNCTUATION = (
    "＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､"
    "　、〃〈〉《》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿"
    "–—‘’‛“”„‟…‧﹏﹑﹔·．！？｡。"
)
"""``zhon.hanzi.punctuation`` of zhon 2.1.1, which two of the protocols delete; it has the curly apostrophe."""


@dataclass(frozen=True)
class Line:
    """An utterance of a list: ``text`` is spoken, and judged by ``reference`` where the two are not one.

    ``prompt_audio`` is None where the list names none, ``target_audio`` where the speaker's own recording is not known.
    """

    id: str
    text: str
    prompt_text: str
    prompt_audio: Path | None
    target_audio: Path | None = None
    reference: str | None = None


class Protocol(Plugin, ABC):
    """Reads a published list, and says how it is judged."""

    about: ClassVar[str]
    """Whose rules these are, at which revision."""
    recogniser: ClassVar[str]
    """Who hears the words in published figures."""
    encoder: ClassVar[str] = "WavLM-large and ECAPA-TDNN (UniSpeech's wavlm_large_finetune.pth)"
    """Who compares the voices in published figures."""
    average: ClassVar[Average]
    """Which word error rate is published."""

    @abstractmethod
    def read(self, path: Path) -> list[Line]:
        """Return the lines of the list ``path``, or of the one in the folder ``path``.

        Raises:
            ValueError: there is no list, or it has another form.
        """

    @abstractmethod
    def normalise(self, text: str) -> str:
        """Return ``text`` as it is judged."""


def load(name: str) -> Protocol:
    """Return the protocol called ``name``, with hyphens or without.

    Raises:
        ValueError: there is none; the message lists the choices.
    """
    return plugins.build(Protocol, name.replace("-", "_"))


def find(path: Path, names: Sequence[str]) -> Path:
    """Return ``path`` if it is a file, else the first of ``names`` in that folder. Raises ValueError."""
    file = path if path.is_file() else next((path / name for name in names if (path / name).is_file()), None)
    if file is None:
        raise ValueError(f"{path} holds no list; give the list itself, or the folder with {' or '.join(names)}")
    return file


def rows(path: Path, separator: str, allowed: Sequence[int]) -> list[list[str]]:
    """Return the fields of each line of a list. Raises ValueError where a line has another number of them."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    table = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split(separator)]
        if len(fields) not in allowed:
            wanted = " or ".join(map(str, allowed))
            raise ValueError(
                f"{path}, line {number} has {len(fields)} fields with {separator!r} between them, not {wanted}"
            )
        table.append(fields)
    if not table:
        raise ValueError(f"{path} is empty; give a list with a line for each utterance")
    return table


def checked(lines: list[Line], path: Path) -> list[Line]:
    """Return ``lines``, each with an id of its own that can be a file's name. Raises ValueError."""
    seen: set[str] = set()
    for line in lines:
        if line.id in seen or not line.id or Path(line.id).name != line.id:
            raise ValueError(f"{path} has {line.id!r} twice, or it is no file's name; each utterance needs its own")
        seen.add(line.id)
    return lines


def tsv(path: Path) -> list[Line]:
    """Return the lines of ZipVoice's ``test.tsv``: name, prompt's text, prompt's sound and text, with tabs between."""
    lines = [Line(name, text, said, path.parent / audio) for name, said, audio, text in rows(path, "\t", [4])]
    return checked(lines, path)


def without(text: str, marks: str) -> str:
    """Return ``text`` without ``marks``, and then two spaces made one, once."""
    return text.translate(dict.fromkeys(map(ord, marks))).replace("  ", " ")
