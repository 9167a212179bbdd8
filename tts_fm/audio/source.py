"""Where sound is read from: a path or a stream, as a file that can seek and is not empty, and what to call it."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from tts_fm.errors import InputError

File = io.BufferedReader | io.BytesIO
"""What can be read and can seek."""
_MAX_PIPED_BYTES = 200_000_000


@runtime_checkable
class Readable(Protocol):
    """A stream of bytes to read, which need not be able to seek."""

    def read(self, size: int = -1, /) -> bytes: ...


@contextmanager
def opened(source: str | Path | Readable) -> Iterator[tuple[File, str]]:
    """Yield a seekable file that is not empty, and what to call it in a message."""
    if not isinstance(source, (str, Path)):
        yield _held(source, "the audio stream"), "the audio stream"
        return
    name = shown(source)
    try:
        with open(source, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                yield _held(file, name), name
                return
            if status.st_size == 0:
                raise InputError(f"{name} is empty (0 bytes); record or copy it again")
            yield file, name
    except FileNotFoundError:
        raise InputError(f"there is no file {name}; check its name and folder") from None
    except IsADirectoryError:
        raise InputError(f"{name} is a folder; name an audio file in it") from None
    except OSError as error:
        raise InputError(f"{name} cannot be opened: {error.strerror}; check its permissions") from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} is no file name; check it") from None


def _held(stream: Readable, name: str) -> io.BytesIO:
    """The bytes of a stream, which need not be able to seek."""
    data = stream.read(_MAX_PIPED_BYTES + 1)
    if len(data) > _MAX_PIPED_BYTES:
        raise InputError(f"{name} has more than {_MAX_PIPED_BYTES // 1_000_000} MB; give a shorter recording")
    if not data:
        raise InputError(f"{name} is empty (0 bytes); record or copy it again")
    return io.BytesIO(data)


class Patient:
    """A file whose place before the beginning is the beginning.

    A damaged header sends libsndfile there; it asks from C, where an error is a traceback on stderr and nobody's to catch.
    """

    def __init__(self, file: File) -> None:
        self._file = file
        self.name = getattr(file, "name", "")
        self.read, self.readinto, self.tell = file.read, file.readinto, file.tell

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there as a file does, or to the beginning."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):
            return self._file.seek(0)


def shown(path: str | Path) -> str:
    """A path as one printable line."""
    return str(path) if str(path).isprintable() else repr(str(path))
