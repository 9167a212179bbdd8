"""Single files of the Hugging Face Hub: taken from the cache, else fetched, else one line that says why not."""

from __future__ import annotations

import os
import re
import socket
import warnings
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

from tts_fm.errors import ModelError

_HF = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^/]+))?(?:/(?P<path>.+?))?/?")


def is_offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` forbids the network."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def split(address: str) -> tuple[str, str, str | None]:
    """Return repository, path and revision of an ``hf://`` address."""
    match = _HF.fullmatch(address)
    path = "" if match is None or match["path"] is None else match["path"]
    if match is None or ".." in path.split("/"):
        raise ModelError(f"{address} is no address; write hf://OWNER/REPO, hf://OWNER/REPO@REVISION or .../PATH")
    return match["repo"], path, None if match["revision"] is None else unquote(match["revision"])


def commit(path: Path) -> str | None:
    """The commit under which the cache keeps ``path``, so that the files of one model come from one commit."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts else None


def fetch(address: str, wanted: str) -> Path:
    """Return the file at an ``hf://`` address; ``wanted`` is what the user asked for."""
    repo, path, revision = split(address)
    try:
        return get(repo, path, revision, wanted)
    except LookupError:
        raise ModelError(f"{repo} has no file {path}; look at https://huggingface.co/{repo}/tree/main") from None


def get(repo: str, path: str, revision: str | None, wanted: str) -> Path:
    """Return a file from the cache, else download it.

    Raises:
        LookupError: the repository has no such file.
        ModelError: it cannot be fetched.
    """
    kept = cached(repo, path, revision)
    if kept is not None:
        return kept
    command = f"tts-fm models download {wanted}"
    if is_offline():
        raise ModelError(f"{wanted} is not on this machine and HF_HUB_OFFLINE is set; with a network, run: {command}")
    warnings.warn(f"{repo}/{path} is not on this machine; it is fetched from the Hugging Face Hub now", stacklevel=2)
    return _download(repo, path, revision, command)


def cached(repo: str, path: str, revision: str | None) -> Path | None:
    """Return a file of the cache, None if it is not in it. Raises LookupError where the cache knows that there is none."""
    from huggingface_hub import try_to_load_from_cache

    kept = try_to_load_from_cache(repo, path, cache_dir=os.environ.get("HF_HUB_CACHE"), revision=revision)
    if kept is not None and not isinstance(kept, str):  # the cache remembers that there is no such file
        raise LookupError(path)
    return None if kept is None else Path(kept)


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
