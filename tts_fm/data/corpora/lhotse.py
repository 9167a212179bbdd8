"""What Lhotse has prepared: cuts, recordings with supervisions, or Shar archives."""

from __future__ import annotations

import gzip
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tts_fm.audio.io import Waveform
from tts_fm.data import cuts
from tts_fm.data.corpora import CorpusReader, Entry, Split, split_of
from tts_fm.errors import InputError
from tts_fm.types import Fault


class Lhotse(CorpusReader):
    """One utterance per supervision. A piece of a longer recording, and sound from an archive, is written as FLAC.

    The corpus is a file of cuts, or a folder: of Shar archives, of cuts, or of recordings and supervisions. Subsets are
    parts of the names of its files, such as ``dev-clean``; what they say of train, dev and test is followed.
    """

    def read(self) -> Iterator[Entry | Fault]:
        cuts.require_lhotse()
        for files in self._manifests():
            name, newest = files[0].name.partition(".")[0], max(path.stat().st_mtime for path in files)
            try:
                for cut in _load(files):
                    yield from self._utterances(cut, split_of(name), newest)
            except (tarfile.TarError, gzip.BadGzipFile, EOFError, json.JSONDecodeError) as error:
                raise InputError(f"{files[0]} is damaged ({error}); copy it again") from None

    def _manifests(self) -> list[list[Path]]:
        """Return the files of each set of cuts: cuts alone, recordings and supervisions, or a Shar folder's."""
        if self.corpus.is_file():
            return [[self.corpus]]
        files = sorted(self.corpus.glob("*")) if self.corpus.is_dir() else []
        if any(path.suffix == ".tar" or path.name.endswith(".tar.gz") for path in files):
            sets = [files]
        else:
            tables = [path for path in files if re.search(r"\.jsonl(\.gz)?$", path.name)]
            sets = [[path] for path in tables if "cuts" in path.name] or _pairs(tables)
        chosen = [files for files in sets if not self.subsets or any(s in files[0].name for s in self.subsets)]
        if not chosen:
            named = f"named {' or '.join(self.subsets)}" if self.subsets else ""
            raise ValueError(
                f"{self.corpus} holds no cuts {named}".rstrip() + "; give a file of Lhotse cuts, or a folder of Shar "
                "archives, of *cuts*.jsonl.gz, or of *recordings*.jsonl.gz with *supervisions*.jsonl.gz"
            )
        return chosen

    def _utterances(self, cut: Any, split: Split | None, newest: float) -> Iterator[Entry | Fault]:
        if not cut.supervisions:
            yield Fault(cut.id, "", "no text: the cut has no supervision")
        for piece in cut.trim_to_supervisions(keep_overlapping=False):
            (said,) = piece.supervisions
            try:
                audio = self._audio(piece, said.id, newest)
            except _unreadable() as error:
                first = next(iter(str(error).splitlines()), type(error).__name__)
                yield Fault(said.id, "", f"unreadable: {first}")
                continue
            text, speaker = ("" if value is None else value for value in (said.text, said.speaker))
            yield Entry(said.id, audio, text, speaker, split, said.gender, said.language, _plain(said.custom))

    def _audio(self, cut: Any, id: str, newest: float) -> Path:
        """Return the file that holds just this cut; it is made where there is none, or an older one."""
        if (whole := _own_file(cut)) is not None:
            return whole
        path = self.extracted / f"{re.sub(r'[^A-Za-z0-9._-]', '_', id)}.flac"
        if not path.is_file() or path.stat().st_mtime < newest:
            import torch

            self.extracted.mkdir(parents=True, exist_ok=True)
            samples = torch.from_numpy(cut.load_audio()).float().mean(dim=0)
            Waveform(samples, cut.sampling_rate).save(path)
        return path


def _load(files: Sequence[Path]) -> Any:
    """Return the cuts of one set of files, read one by one."""
    from lhotse import CutSet, RecordingSet, load_manifest, load_manifest_lazy

    if len(files) > 1 and any(".tar" in path.name for path in files):
        return CutSet.from_shar(in_dir=files[0].parent)
    if len(files) == 2:
        recordings, supervisions = (load_manifest(path) for path in files)
        return CutSet.from_manifests(recordings=recordings, supervisions=supervisions)
    try:
        manifest = load_manifest_lazy(files[0])
    except (OSError, ValueError, KeyError, AssertionError) as error:
        raise ValueError(f"{files[0]} is no Lhotse manifest ({error}); give a file of cuts, or a folder") from None
    if isinstance(manifest, RecordingSet) or not isinstance(manifest, CutSet):
        raise ValueError(f"{files[0]} holds no cuts; give the folder with its recordings and supervisions")
    return manifest


def _pairs(tables: Sequence[Path]) -> list[list[Path]]:
    """Return each file of recordings with its file of supervisions."""
    recordings = [path for path in tables if "recordings" in path.name]
    pairs = [[path, path.with_name(path.name.replace("recordings", "supervisions"))] for path in recordings]
    return [pair for pair in pairs if pair[1].is_file()]


def _own_file(cut: Any) -> Path | None:
    """Return the file that the cut is the whole of; None if there is no such file."""
    recording = getattr(cut, "recording", None)  # a mix of several has none
    if recording is None or recording.transforms or len(recording.sources) != 1:
        return None
    (source,) = recording.sources
    is_whole = cut.start == 0 and abs(cut.duration - recording.duration) < 1e-3
    return Path(source.source).absolute() if source.type == "file" and is_whole else None


def _unreadable() -> tuple[type[Exception], ...]:
    """Return what Lhotse raises for sound that it cannot read."""
    from lhotse.audio.utils import AudioLoadingError, DurationMismatchError

    return AudioLoadingError, DurationMismatchError, OSError, RuntimeError, ValueError, AssertionError


def _plain(custom: dict[str, Any] | None) -> dict[str, Any]:
    """Return the notes that are text and numbers."""
    return {key: value for key, value in (custom or {}).items() if isinstance(value, (str, int, float))}
