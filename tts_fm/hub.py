"""Where a model comes from: bundled, a folder, the Hugging Face Hub, offline."""

from __future__ import annotations

import difflib
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from tts_fm import hub_files, whisper_files
from tts_fm.errors import ArgumentError, ModelError

DEFAULT, BUNDLED = "default", "bundled"
VOCOS = "hf://charactr/vocos-mel-24khz"
"""The vocoder of the published models."""

_OURS = "model.safetensors"
_CHECKPOINTS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")


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
        return all(hub_files.cached(*hub_files.split(address)) is not None for address in (self.checkpoint, self.vocab))


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
            checkpoint=hub_files.fetch(entry.checkpoint, entry.name),
            vocab=hub_files.fetch(entry.vocab, entry.name),
            architecture=entry.name,
        )
    try:
        path = Path(model).expanduser()
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # too long, or the home of nobody
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{model[:80]!r} is no name of a model, a file or a folder: {reason}") from None
    if is_file and is_checkpoint:
        beside = path.parent / "vocab.txt"
        return _foreign(model, path, str(beside) if vocab is None and beside.is_file() else vocab, architecture)
    if is_folder or (is_file and path.name == _OURS):
        return ModelSource(model, folder=_checked_folder(path if is_folder else path.parent))
    raise ModelError(_not_found(model))


def download(model: str) -> ModelSource:
    """Fetch ``model`` into the cache, and the vocoder that a published one needs; a vocoder or a Whisper alone will do too."""
    if not model.startswith("hf://"):
        source = resolve(model)
        if source.folder is None:
            vocoder_folder(VOCOS)
        return source
    if _is_checkpoint(model, None):
        return ModelSource(model, checkpoint=hub_files.fetch(model, model), vocab=_vocab_beside(model))
    try:
        return resolve(model)
    except ModelError as no_model:
        for folder_of in (vocoder_folder, whisper_files.folder):
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
    repo, path, revision = hub_files.split(source)
    config = hub_files.fetch(f"{source.rstrip('/')}/config.yaml", source)
    weights = [f"{path}/{name}".strip("/") for name in (_OURS, "pytorch_model.bin")]
    for name in weights:
        with suppress(LookupError):
            if hub_files.cached(repo, name, revision) is not None:
                return config.parent
    for name in weights:
        with suppress(LookupError):
            hub_files.get(repo, name, revision, source)
            return config.parent
    raise ModelError(f"{source} is no vocoder: it has neither {_OURS} nor pytorch_model.bin")


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
    repo, path, revision = hub_files.split(model)
    if _is_checkpoint(model, architecture):
        checkpoint = hub_files.fetch(model, model)
        beside = _vocab_beside(model) if vocab is None else None
        vocab = vocab if beside is None else str(beside)
        return _foreign(model, checkpoint, vocab, architecture)
    base = path.removesuffix("model.safetensors").strip("/")
    prefix = f"{base}/" if base else ""
    try:
        config = hub_files.get(repo, f"{prefix}config.yaml", revision, model)
        commit = hub_files.commit(config)
        hub_files.get(repo, f"{prefix}model.safetensors", commit, model)
    except LookupError as error:
        raise ModelError(
            f"{model} is no model folder: it has no {error.args[0]}; for a checkpoint of F5-TTS or E2-TTS name "
            f"the file 'hf://{repo}/{prefix}FILE.safetensors', with its vocabulary and its architecture",
            "vocab",
            "architecture",
        ) from None
    for name in ("vocab.txt", "README.md"):
        with suppress(LookupError, ModelError):  # not every model has them; a frontend says if it lacks its vocabulary
            hub_files.get(repo, f"{prefix}{name}", commit, model)
    return ModelSource(model, folder=config.parent)


def _vocab_beside(checkpoint: str) -> Path | None:
    """Return the ``vocab.txt`` in the folder of a checkpoint in a repository, if there is one."""
    repo, path, revision = hub_files.split(checkpoint)
    with suppress(LookupError):
        return hub_files.get(repo, f"{path.rpartition('/')[0]}/vocab.txt".strip("/"), revision, checkpoint)
    return None


def _foreign(model: str, checkpoint: Path, vocab: str | None, architecture: str | None) -> ModelSource:
    if architecture is None:
        known = ", ".join(entry.name for entry in _PUBLISHED)
        raise ArgumentError(
            f"{model} is a checkpoint file; its architecture is needed, such as {known}, or a YAML file", "architecture"
        )
    if vocab is None:
        raise ArgumentError(f"{model} is a checkpoint file and has no vocab.txt beside it; give one", "vocab")
    vocab_path = hub_files.fetch(vocab, vocab) if vocab.startswith("hf://") else Path(vocab).expanduser()
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
