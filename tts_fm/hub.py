"""Where a model comes from: bundled, a folder, the Hugging Face Hub, offline."""

from __future__ import annotations

import difflib
import os
import re
import socket
import warnings
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

from tts_fm.errors import ArgumentError, ModelError

DEFAULT, BUNDLED = "default", "bundled"
VOCOS = "hf://charactr/vocos-mel-24khz"
"""The vocoder of the published models."""

_OURS = "model.safetensors"
_WHISPER = "hf://Systran/faster-whisper-"
_WHISPER_SIZES = ("tiny", "base", "small", "medium", "large-v1", "large-v2", "large-v3")
_WHISPER_SIZES += tuple(f"{size}.en" for size in _WHISPER_SIZES[:4])
_WHISPER_FILES = ("config.json", "model.bin", "tokenizer.json")
_CHECKPOINTS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
_HF = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^/]+))?(?:/(?P<path>.+?))?/?")


@dataclass(frozen=True)
class ModelSource:
    """Files on this machine that hold one model.

    Either ``folder`` is set (a model folder of this project), or ``checkpoint``, ``vocab`` and ``architecture`` (the
    weights of another one, see :mod:`tts_fm.interop`).
    """

    name: str
    folder: Path | None = None
    checkpoint: Path | None = None
    vocab: Path | None = None
    architecture: str | None = None

    @property
    def weights_bytes(self) -> int:
        """How large the weights are, those of a vocoder in the model's folder too."""
        assert self.folder is not None or self.checkpoint is not None
        files = [self.checkpoint] if self.folder is None else self.folder.rglob("*.safetensors")
        return sum(path.stat().st_size for path in files if path is not None)


@dataclass(frozen=True)
class Published:
    """A model that others have published, called as its architecture; the files are given by ``hf://`` addresses."""

    name: str
    checkpoint: str
    vocab: str
    license: str
    gigabytes: float
    about: str

    @property
    def is_cached(self) -> bool:
        """Whether it can be used without a network."""
        return all(_cached(*_split(address)) is not None for address in (self.checkpoint, self.vocab))


_F5, _E2 = "hf://SWivid/F5-TTS", "hf://SWivid/E2-TTS"
_V0_VOCAB = f"{_F5}/F5TTS_Base/vocab.txt"  # E2-TTS was trained with the same one
_EMILIA = "English and Chinese, trained on Emilia"
_NC = "CC-BY-NC-4.0"
_V1 = f"{_F5}/F5TTS_v1_Base"
_PUBLISHED = (
    Published(
        "F5TTS_v1_Base", f"{_V1}/model_1250000.safetensors", f"{_V1}/vocab.txt", _NC, 1.35, f"F5-TTS v1; {_EMILIA}"
    ),
    Published(
        "F5TTS_Base", f"{_F5}/F5TTS_Base/model_1200000.safetensors", _V0_VOCAB, _NC, 1.35, f"F5-TTS v0; {_EMILIA}"
    ),
    Published("E2TTS_Base", f"{_E2}/E2TTS_Base/model_1200000.safetensors", _V0_VOCAB, _NC, 1.33, f"E2-TTS; {_EMILIA}"),
)


def published() -> tuple[Published, ...]:
    """Return the models that can be asked for by name."""
    return _PUBLISHED


def is_offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` forbids the network."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def resolve(model: str, vocab: str | None = None, architecture: str | None = None) -> ModelSource:
    """Return the files of ``model``, downloaded if need be.

    Args:
        model: ``default``, a model folder, a checkpoint file of F5-TTS or E2-TTS, ``hf://OWNER/REPO[@REVISION][/PATH]``
            (a folder or a checkpoint in it), or the name of a published model.
        vocab: the vocabulary of a checkpoint file: a path or ``hf://`` address; else the ``vocab.txt`` beside it.
        architecture: the configuration of a checkpoint file, such as ``F5TTS_v1_Base``.

    Raises:
        ModelError: it is not there and cannot be fetched; the message has the command that fetches it.
        ValueError: ``vocab`` or ``architecture`` is missing, or given where it has no meaning.
    """
    by_name = {entry.name.lower(): entry for entry in _PUBLISHED}
    is_checkpoint = _is_checkpoint(model, architecture)
    if not is_checkpoint and (vocab is not None or architecture is not None):
        raise ArgumentError(
            f"a vocabulary and an architecture go with a checkpoint file; {model!r} brings its own",
            "vocab",
            "architecture",
        )
    if model == DEFAULT:
        return ModelSource(DEFAULT, folder=bundled())
    if model.startswith("hf://"):
        return _from_hub(model, vocab, architecture)
    if model.lower() in by_name:
        entry = by_name[model.lower()]
        return ModelSource(
            entry.name,
            checkpoint=_fetch(entry.checkpoint, entry.name),
            vocab=_fetch(entry.vocab, entry.name),
            architecture=entry.name,
        )
    try:
        path = Path(model).expanduser()
        path.is_file(), path.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # too long, or the home of nobody
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{model[:80]!r} is no name of a model, a file or a folder: {reason}") from None
    if path.is_file() and is_checkpoint:
        beside = path.parent / "vocab.txt"
        return _foreign(model, path, str(beside) if vocab is None and beside.is_file() else vocab, architecture)
    if path.is_file() and path.name == _OURS:
        path = path.parent
    if path.is_dir():
        return ModelSource(model, folder=_checked_folder(path))
    raise ModelError(_not_found(model))


def download(model: str) -> ModelSource:
    """Fetch ``model`` into the cache, and the vocoder that a published one needs; a vocoder or a Whisper alone will do too."""
    if not model.startswith("hf://"):
        source = resolve(model)
        if source.folder is None:
            vocoder_folder(VOCOS)
        return source
    if _is_checkpoint(model, None):
        return ModelSource(model, checkpoint=_fetch(model, model), vocab=_vocab_beside(model))
    try:
        return resolve(model)
    except ModelError as no_model:
        for folder_of in (vocoder_folder, whisper_folder):
            with suppress(ModelError):
                return ModelSource(model, folder=folder_of(model))
        raise no_model from None


def vocoder_folder(source: str) -> Path:
    """Return the folder with ``config.yaml`` and weights of a vocoder: ``bundled``, a path or ``hf://OWNER/REPO``.

    Raises:
        ModelError: it is not there and cannot be fetched.
    """
    if source == BUNDLED:
        return bundled() / "vocoder"
    if not source.startswith("hf://"):
        try:
            folder = Path(source).expanduser()
            folder.is_dir()
        except (OSError, RuntimeError, ValueError):
            raise ModelError(f"there is no vocoder folder {source[:80]!r}; check its name") from None
        if not folder.is_dir():
            raise ModelError(f"there is no vocoder folder {source}; check its name")
        return folder
    repo, path, revision = _split(source)
    config = _fetch(f"{source.rstrip('/')}/config.yaml", source)
    weights = [f"{path}/{name}".strip("/") for name in (_OURS, "pytorch_model.bin")]
    for name in weights:
        with suppress(LookupError):
            if _cached(repo, name, revision) is not None:
                return config.parent
    for name in weights:
        with suppress(LookupError):
            _get(repo, name, revision, source)
            return config.parent
    raise ModelError(f"{source} is no vocoder: it has neither {_OURS} nor pytorch_model.bin")


def whisper_folder(source: str) -> Path:
    """Return the folder of a Whisper for CTranslate2: a size such as ``large-v3``, a path or ``hf://OWNER/REPO``.

    Raises:
        ModelError: it is not there and cannot be fetched.
    """
    if source in _WHISPER_SIZES:
        source = f"{_WHISPER}{source}"
    if not source.startswith("hf://"):
        folder = Path(source).expanduser()
        if missing := [name for name in _WHISPER_FILES if not (folder / name).is_file()]:
            raise ModelError(
                f"{source} is no Whisper for CTranslate2: it has no {missing[0]}; give its folder, hf://OWNER/REPO or "
                f"one of {', '.join(_WHISPER_SIZES)}"
            )
        return folder
    repo, path, revision = _split(source)
    prefix = f"{path}/" if path else ""
    try:
        first, *others = _WHISPER_FILES
        config = _get(repo, f"{prefix}{first}", revision, source)
        for name in others:
            _get(repo, f"{prefix}{name}", _commit(config), source)
    except LookupError as error:
        raise ModelError(f"{source} is no Whisper for CTranslate2: it has no {error.args[0]}") from None
    for name in ("vocabulary.txt", "vocabulary.json", "preprocessor_config.json"):
        with suppress(LookupError, ModelError):  # the older have a text, large-v3 the other two
            _get(repo, f"{prefix}{name}", _commit(config), source)
    return config.parent


def has_whisper(size: str) -> bool:
    """Whether the Whisper of ``size`` can be used without a network."""
    repo, _, _ = _split(f"{_WHISPER}{size}")
    try:
        return all(_cached(repo, name, None) is not None for name in _WHISPER_FILES)
    except LookupError:
        return False


def revision(folder: Path) -> str | None:
    """Return the commit of a folder that came from a repository; None for another."""
    return _commit(folder)


def bundled(name: str = DEFAULT) -> Path:
    """Return what the package carries as ``voices/NAME``: ``default`` is the bundled model's folder."""
    path = Path(str(files("tts_fm"))) / "voices" / name
    if not path.exists():
        raise ModelError(f"the bundled {name!r} is missing at {path}; install tts-fm again")
    return path


def _is_checkpoint(model: str, architecture: str | None) -> bool:
    """Whether ``model`` names a file of weights; ``model.safetensors`` alone stands for its model folder."""
    return model.endswith(_CHECKPOINTS) and not (Path(model).name == _OURS and architecture is None)


def _from_hub(model: str, vocab: str | None, architecture: str | None) -> ModelSource:
    """A model folder in a repository, or a checkpoint file in it."""
    repo, path, revision = _split(model)
    if _is_checkpoint(model, architecture):
        checkpoint = _fetch(model, model)
        beside = _vocab_beside(model) if vocab is None else None
        vocab = vocab if beside is None else str(beside)
        return _foreign(model, checkpoint, vocab, architecture)
    base = path.removesuffix("model.safetensors").strip("/")
    prefix = f"{base}/" if base else ""
    try:
        config = _get(repo, f"{prefix}config.yaml", revision, model)
        commit = _commit(config)
        _get(repo, f"{prefix}model.safetensors", commit, model)
    except LookupError as error:
        raise ModelError(
            f"{model} is no model folder: it has no {error.args[0]}; for a checkpoint of F5-TTS or E2-TTS name "
            f"the file 'hf://{repo}/{prefix}FILE.safetensors', with its vocabulary and its architecture",
            "vocab",
            "architecture",
        ) from None
    for name in ("vocab.txt", "README.md"):
        with suppress(LookupError, ModelError):  # not every model has them; a frontend says if it lacks its vocabulary
            _get(repo, f"{prefix}{name}", commit, model)
    return ModelSource(model, folder=config.parent)


def _vocab_beside(checkpoint: str) -> Path | None:
    """Return the ``vocab.txt`` in the folder of a checkpoint in a repository, if there is one."""
    repo, path, revision = _split(checkpoint)
    with suppress(LookupError):
        return _get(repo, f"{path.rpartition('/')[0]}/vocab.txt".strip("/"), revision, checkpoint)
    return None


def _foreign(model: str, checkpoint: Path, vocab: str | None, architecture: str | None) -> ModelSource:
    if architecture is None:
        known = ", ".join(entry.name for entry in _PUBLISHED)
        raise ArgumentError(
            f"{model} is a checkpoint file; its architecture is needed, such as {known}, or a YAML file", "architecture"
        )
    if vocab is None:
        raise ArgumentError(f"{model} is a checkpoint file and has no vocab.txt beside it; give one", "vocab")
    vocab_path = _fetch(vocab, vocab) if vocab.startswith("hf://") else Path(vocab).expanduser()
    if not vocab_path.is_file():
        raise ModelError(f"there is no vocabulary file {vocab}; check its name")
    return ModelSource(model, checkpoint=checkpoint, vocab=vocab_path, architecture=architecture)


def _checked_folder(path: Path) -> Path:
    for name in ("config.yaml", "model.safetensors"):
        if not (path / name).is_file():
            others = sorted(entry.name for entry in path.iterdir() if entry.suffix in _CHECKPOINTS)
            hint = f"name the checkpoint in it, {path / others[0]}" if others else "check its name"
            raise ModelError(f"{path} is no model folder (config.yaml, model.safetensors): it has no {name}; {hint}")
    return path


def _not_found(model: str) -> str:
    if model.count("/") == 1 and not model.startswith((".", "~", "/")) and not model.endswith(_CHECKPOINTS):
        return f"there is no folder {model}; for a repository on the Hugging Face Hub write hf://{model}"
    if "/" in model or model.endswith(_CHECKPOINTS):
        return f"there is no file or folder {model}; check its name"
    known = [DEFAULT, *(entry.name for entry in _PUBLISHED)]
    lower = {name.lower(): name for name in known}
    near = [lower[name] for name in difflib.get_close_matches(model.lower(), lower, n=3, cutoff=0.4)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)} and hf://OWNER/REPO"
    return f"there is no model {model!r}; {hint}"


def _split(address: str) -> tuple[str, str, str | None]:
    """Return repository, path and revision of an ``hf://`` address."""
    match = _HF.fullmatch(address)
    path = "" if match is None or match["path"] is None else match["path"]
    if match is None or ".." in path.split("/"):
        raise ModelError(f"{address} is no address; write hf://OWNER/REPO, hf://OWNER/REPO@REVISION or .../PATH")
    return match["repo"], path, None if match["revision"] is None else unquote(match["revision"])


def _commit(path: Path) -> str | None:
    """The commit under which the cache keeps ``path``, so that the files of one model come from one commit."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts else None


def _fetch(address: str, wanted: str) -> Path:
    """Return the file at an ``hf://`` address; ``wanted`` is what the user asked for."""
    repo, path, revision = _split(address)
    try:
        return _get(repo, path, revision, wanted)
    except LookupError:
        raise ModelError(f"{repo} has no file {path}; look at https://huggingface.co/{repo}/tree/main") from None


def _get(repo: str, path: str, revision: str | None, wanted: str) -> Path:
    """Return a file from the cache, else download it.

    Raises:
        LookupError: the repository has no such file.
        ModelError: it cannot be fetched.
    """
    cached = _cached(repo, path, revision)
    if cached is not None:
        return cached
    command = f"tts-fm models download {wanted}"
    if is_offline():
        raise ModelError(f"{wanted} is not on this machine and HF_HUB_OFFLINE is set; with a network, run: {command}")
    warnings.warn(f"{repo}/{path} is not on this machine; it is fetched from the Hugging Face Hub now", stacklevel=2)
    return _download(repo, path, revision, command)


def _cached(repo: str, path: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(repo, path, cache_dir=os.environ.get("HF_HUB_CACHE"), revision=revision)
    if cached is not None and not isinstance(cached, str):  # the cache remembers that there is no such file
        raise LookupError(path)
    return None if cached is None else Path(cached)


def _download(repo: str, path: str, revision: str | None, command: str) -> Path:
    """Fetch one file over the network: the only function that uses it."""
    from huggingface_hub import constants, errors, hf_hub_download

    host = urlsplit(constants.ENDPOINT)
    unreached = f"{repo}/{path} is not on this machine and {host.netloc} is not reached; with a network, run: {command}"
    try:
        if not getproxies():  # the library would retry for half a minute
            port = host.port if host.port is not None else (80 if host.scheme == "http" else 443)
            socket.create_connection((str(host.hostname), port), timeout=5).close()
    except OSError:
        raise ModelError(unreached) from None
    try:
        return Path(hf_hub_download(repo, path, revision=revision, cache_dir=os.environ.get("HF_HUB_CACHE")))
    except (errors.RepositoryNotFoundError, errors.GatedRepoError):
        raise ModelError(f"there is no open repository {repo}; check its name, or log in with: hf auth login") from None
    except errors.RevisionNotFoundError:
        raise ModelError(f"{repo} has no revision {revision!r}; check its name") from None
    except errors.LocalEntryNotFoundError:
        raise ModelError(unreached) from None
    except errors.EntryNotFoundError:
        raise LookupError(path) from None
    except OSError as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{repo}/{path} cannot be downloaded ({reason}); try again with: {command}") from None
