"""Writes what docs repeat: options of the command line, docstrings of Python, and every file's first sentence in the map."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from typer.main import get_command

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
NOTE = "<!-- Made by python -m scripts.reference; a test compares it. -->"
PUBLIC = {
    "tts_fm": (
        *("Synthesizer", "Prompt", "Waveform", "Speech", "Piece", "Plan", "Lexicon", "SamplingOptions", "ModelConfig"),
        *("Edit", "Change", "VoiceLibrary", "KeptVoice", "Story", "Turn", "Role", "InputError", "ModelError"),
    ),
    "tts_fm.story": ("parse", "speak"),
    "tts_fm.plugins": ("names", "load", "build"),
}
"""What the page of Python tells of."""


def main() -> None:
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Return each page's text by its path in docs/."""
    mapped = with_map((DOCS / "architecture.md").read_text(encoding="utf-8"))
    return {"reference/commands.md": commands_page(), "reference/python.md": python_page(), "architecture.md": mapped}


def with_map(page: str) -> str:
    """Return the page with the map as the files have it: every line their own sentence, new ones put where they belong."""
    before, start, rest = page.partition("<!-- map -->\n```text\n")
    old, end, after = rest.partition("```\n<!-- end of map -->")
    lines = old.splitlines()
    mapped = {line.split()[0] for line in lines if line}
    files = [path for folder in ("tts_fm", "scripts") for path in (ROOT / folder).rglob("*.py")]
    for name in sorted(path.relative_to(ROOT).as_posix() for path in files):
        if name not in mapped and not name.endswith("__main__.py"):
            at, line = _place(lines, name)
            lines[at:at] = line.split("\n")
    said = [line.split()[0] if line else "" for line in lines]
    paragraphs: list[list[int]] = [[]]
    for i, name in enumerate(said):
        paragraphs[-1].append(i)
        if not name:
            paragraphs.append([])
    for paragraph in paragraphs:
        theirs = [i for i in paragraph if said[i].endswith(".py") and (ROOT / said[i]).exists()]
        width = max([38, *(len(said[i]) for i in theirs)]) + 2
        for i in theirs:
            lines[i] = f"{said[i]:<{width}}{_sentence(ROOT / said[i])}"
    lines = [line for i, line in enumerate(lines) if not said[i].endswith(".py") or (ROOT / said[i]).exists()]
    return before + start + "\n".join(lines) + "\n" + end + after


def _place(lines: list[str], name: str) -> tuple[int, str]:
    """Return where a new file's line goes, and the line: among those of its folder, else as a new folder before the voices."""
    folder = name.rpartition("/")[0] + "/"
    theirs = [
        i for i, line in enumerate(lines) if line.split(" ")[0].rpartition("/")[0] + "/" == folder and ".py" in line
    ]
    if not theirs:
        voices = next(i for i, line in enumerate(lines) if line.startswith("tts_fm/voices/"))
        return voices, f"{folder}\n{name}\n"
    later = [i for i in theirs if lines[i].split()[0] > name]
    return (later[0] if later else theirs[-1] + 1), name


def _sentence(path: Path) -> str:
    """Return the first paragraph of a file's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def commands_page() -> str:
    """Return every subcommand with its arguments and options, as a page."""
    from tts_fm.commands import app

    intro = (
        "What `tts-fm COMMAND --help` says. Exit codes: 0 ok, 1 failure, 2 usage, 3 bad audio or text, 4 model not "
        "available, 130 interrupted, 143 terminated."
    )
    parts = ["# The command line", NOTE, intro]
    for path, command in leaves(get_command(app), ()):
        parts += [f"## {' '.join(path)}", _help(path, command)]
    return "\n\n".join(parts) + "\n"


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the subcommands that do something, with their names, in the order of ``--help``."""
    for name, child in getattr(command, "commands", {}).items():
        if child.hidden:
            continue
        if getattr(child, "commands", None):
            yield from leaves(child, (*path, name))
        else:
            yield (*path, name), child


def _help(path: tuple[str, ...], command: Any) -> str:
    """Return what ``--help`` says, at a width that does not depend on the terminal."""
    name = " ".join(["tts-fm", *path])
    context = command.make_context(name, [], resilient_parsing=True, terminal_width=84, max_content_width=84)
    return f"```text\n{context.get_help()}\n```"


def python_page() -> str:
    """Return what is public in Python, from its docstrings, as a page."""
    parts = ["# Python", NOTE]
    for module_name, names in PUBLIC.items():
        module = import_module(module_name)
        for name in names:
            parts += _thing(module_name, name, getattr(module, name))
    return "\n\n".join(parts) + "\n"


def _thing(module: str, name: str, value: Any) -> list[str]:
    parts = [f"## {name}", f"`from {module} import {name}`"]
    if inspect.isfunction(value):
        return [*parts, _signature(name, value), _prose(value)]
    methods = [
        (key, member)
        for key, member in vars(value).items()
        if not key.startswith("_")
        and (inspect.isfunction(member) or isinstance(member, (classmethod, property)))
        and inspect.getdoc(_function(member))
    ]
    parts.append(_prose(value))
    for key, member in methods:
        shown = [] if isinstance(member, property) else [_signature(key, _function(member))]
        parts += [f"### {name}.{key}", *shown, _prose(_function(member))]
    return parts


def _function(member: Any) -> Any:
    """Return the function behind a method, whatever it is dressed in."""
    if isinstance(member, property):
        return member.fget
    return inspect.unwrap(member.__func__ if isinstance(member, classmethod) else member)


def _signature(name: str, function: Any) -> str:
    """Return the signature as a block, one parameter a line where it is long."""
    signature = inspect.signature(function)
    parameters, is_keyword = [], False
    for p in signature.parameters.values():
        if p.name in ("self", "cls"):
            continue
        if p.kind is p.KEYWORD_ONLY and not is_keyword:
            parameters.append("*")
            is_keyword = True
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        annotation = "" if p.annotation is p.empty else f": {p.annotation}"
        default = "" if p.default is p.empty else f" = {p.default!r}"
        parameters.append(f"{stars}{p.name}{annotation}{default}")
    returns = "" if signature.return_annotation is signature.empty else f" -> {signature.return_annotation}"
    line = f"{name}({', '.join(parameters)}){returns}"
    if len(line) > 100:
        line = f"{name}(\n" + "".join(f"    {p},\n" for p in parameters) + f"){returns}"
    return f"```text\n{line}\n```"


def _prose(value: Any) -> str:
    """Return a docstring as Markdown: double backticks become single ones, its sections lists."""
    lines, section = [], False
    for line in (
        (inspect.getdoc(value) or "").replace("``", "`").replace(":class:", "").replace(":meth:", "").splitlines()
    ):
        if line in ("Args:", "Raises:", "Attributes:"):
            lines += [f"**{line}**", ""]
            section = True
        elif section and line.startswith("    ") and not line.startswith("     "):
            name, _, rest = line.strip().partition(": ")
            lines.append(f"- `{name}`: {rest}")
        elif section and line.startswith("     "):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
            section = section and not line
    return "\n".join(lines).replace("<", "&lt;").strip()


if __name__ == "__main__":
    main()
