"""Where a Whisper for CTranslate2 is: one of the published sizes, a folder, or a repository of the Hugging Face Hub."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tts_fm import hub_files
from tts_fm.errors import ModelError

_PUBLISHED = "hf://Systran/faster-whisper-"
_SIZES = ("tiny", "base", "small", "medium", "large-v1", "large-v2", "large-v3")
_SIZES += tuple(f"{size}.en" for size in _SIZES[:4])
_FILES = ("config.json", "model.bin", "tokenizer.json")


def folder(source: str) -> Path:
    """Return the folder of a Whisper for CTranslate2: a size such as ``large-v3``, a path or ``hf://OWNER/REPO``.

    Raises:
        ModelError: it is not there and cannot be fetched.
    """
    if source in _SIZES:
        source = f"{_PUBLISHED}{source}"
    if not source.startswith("hf://"):
        path = Path(source).expanduser()
        if missing := [name for name in _FILES if not (path / name).is_file()]:
            raise ModelError(
                f"{source} is no Whisper for CTranslate2: it has no {missing[0]}; give its folder, hf://OWNER/REPO or "
                f"one of {', '.join(_SIZES)}"
            )
        return path
    repo, path, revision = hub_files.split(source)
    prefix = f"{path}/" if path else ""
    try:
        first, *others = _FILES
        config = hub_files.get(repo, f"{prefix}{first}", revision, source)
        for name in others:
            hub_files.get(repo, f"{prefix}{name}", hub_files.commit(config), source)
    except LookupError as error:
        raise ModelError(f"{source} is no Whisper for CTranslate2: it has no {error.args[0]}") from None
    for name in ("vocabulary.txt", "vocabulary.json", "preprocessor_config.json"):
        with suppress(LookupError, ModelError):  # the older have a text, large-v3 the other two
            hub_files.get(repo, f"{prefix}{name}", hub_files.commit(config), source)
    return config.parent


def is_cached(size: str) -> bool:
    """Whether the Whisper of ``size`` can be used without a network."""
    repo, _, _ = hub_files.split(f"{_PUBLISHED}{size}")
    try:
        return all(hub_files.cached(repo, name, None) is not None for name in _FILES)
    except LookupError:
        return False
