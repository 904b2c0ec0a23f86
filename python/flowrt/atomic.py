"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Union
from uuid import uuid4


@contextmanager
def replacing(path: Union[str, os.PathLike[str]]) -> Iterator[BinaryIO]:
    """A binary stream for the bytes of a file, which takes the place of an older one when all of them are written.

    Until then, and if anything fails, the older file stays as it is; a program that has it mapped keeps it. The new one
    gets its permissions, or the usual ones. What is no plain file, such as /dev/stdout, is written to.
    """
    target = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isfile(target):
        with open(path, "wb") as stream:
            yield stream
        return
    temporary = os.path.join(os.path.dirname(target), f".flowrt-{uuid4().hex}")
    try:
        mode = _mode(target)
        with open(temporary, "xb") as stream:
            yield stream
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, target)
    except OSError as error:  # which names the temporary file, or none
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def _mode(path: str) -> int | None:
    """The permissions of a file, None if there is none yet. Raises `OSError` if it must not be written to."""
    try:
        with open(path, "r+b") as stream:
            return os.fstat(stream.fileno()).st_mode & 0o777
    except FileNotFoundError:
        return None
