"""A small text file, read whole: bounded in size, a regular file, UTF-8; else one line that says what is wrong."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read_text(path: Path, most: int) -> str:
    """Return the text in ``path``, which may have up to ``most`` bytes.

    Raises:
        ValueError: it is not there, no file, larger, or no UTF-8.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe nobody writes to must not wait
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError(f"{path} cannot be read: it is no regular file; put a text file there")
            data = file.read(most + 1)
    except FileNotFoundError:
        raise ValueError(f"{path} cannot be read: there is no such file; check its name") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}; put a text file there") from None
    if len(data) > most:
        raise ValueError(f"{path} has more than {most:,} bytes, which is more than it can mean; check what it is")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is no UTF-8 text (byte {error.start} is {data[error.start]:#04x}); save it as UTF-8"
        ) from None
