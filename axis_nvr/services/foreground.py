"""What a program says to people who started it in the foreground; it is not the log."""

import sys
from contextlib import suppress
from typing import TextIO


def announce(line: str) -> None:
    """Write a line on the standard output."""
    _write(sys.__stdout__, line)


def complain(line: str) -> None:
    """Write a line on the standard error."""
    _write(sys.__stderr__, line)


def _write(stream: TextIO | None, line: str) -> None:
    if stream is not None:
        with suppress(OSError, ValueError):  # closed, or nobody reads it
            stream.write(f"{line}\n")
            stream.flush()
