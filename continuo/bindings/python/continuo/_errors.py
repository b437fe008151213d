"""The exceptions of the package."""

from __future__ import annotations

import errno


class Error(Exception):
    """What the outside world has caused: a file, a value or a setting that is wrong.

    The message names the file or the field, what was found and what was expected, as the program
    `continuo` prints it. `hint` says what to do about it, and may be empty.
    """

    hint: str = ""


class InvalidError(Error, ValueError):
    """An input or a setting is wrong."""


class NotFoundError(Error, FileNotFoundError):
    """A file, or another thing that was named, does not exist. `errno` is ENOENT."""


class FileSystemError(Error, OSError):
    """The operating system failed: a disk is full, a file cannot be read, another process holds it.

    `errno` is ENOSPC where the disk is full, and None otherwise.
    """


class TooLargeError(Error, ValueError):
    """More than a limit that this package sets allows."""


class CancelledError(Error):
    """The work was stopped before it was complete."""


_CLASSES: dict[str, type[Error]] = {
    "invalid": InvalidError,
    "not_found": NotFoundError,
    "io": FileSystemError,
    "full": FileSystemError,
    "busy": FileSystemError,
    "cancelled": CancelledError,
    "too_large": TooLargeError,
}
_ERRNO = {"not_found": errno.ENOENT, "full": errno.ENOSPC}


def make_error(code: str, message: str, hint: str) -> Error:
    """The exception of an error of the C++ library."""
    error = _CLASSES[code](f"{message} ({hint})" if hint else message)
    error.hint = hint
    if isinstance(error, OSError):
        error.errno = _ERRNO.get(code)
    return error
