"""What every command is made of: its row, its exit codes, its arguments, its texts."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.asking import ask_to_tell
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import INDEX_NAME, utc_text

#: All well.
EXIT_OK = 0
#: Something was found, or what was asked for was not.
EXIT_FOUND = 1
#: It could not be done.
EXIT_FAILED = 2


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name, what it is for, its arguments, and what it does.

    :param run: gives the exit code.
    """

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def disk_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every command about a disk takes."""
    parser.add_argument("disk", type=Path, help="the disk's folder")
    parser.add_argument("--json", action="store_true", help="tell it to a program")


# Texts.


def time_words(utc_us: int | None) -> str:
    """Give a time for people, to the millisecond."""
    return "-" if utc_us is None else f"{utc_text(utc_us)[:-4]}Z".replace("T", " ")


def duration_words(start_us: int | None, stop_us: int | None) -> str:
    """Give hours, minutes and seconds; a dash for what has no end."""
    if start_us is None or stop_us is None:
        return "-"
    minutes, seconds = divmod(max(0, stop_us - start_us) // 1_000_000, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def printable(text: str) -> str:
    """Let no text from a disk send commands to the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their titles, each column as wide as it must be."""
    table = [titles, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(titles))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def print_json(value: object) -> None:
    """Print a value for a program."""
    print(json.dumps(value, indent=2))


def utc_or_none(utc_us: int | None) -> str | None:
    """Give a time for a program."""
    return None if utc_us is None else utc_text(utc_us)


def have_it_told(disk: Path) -> None:
    """Have a recorder that uses the disk tell its index what is new; say if it does not."""
    if not ask_to_tell(cast(IFiles, Files()), disk):
        words = "the recorder that uses the disk does not answer: what is new may be missing"
        print(f"axis-nvr: {words}", file=sys.stderr)


def index_path(disk: Path) -> Path:
    """Give the index of a disk.

    :raises StorageError: the folder is no disk; one within it is named, if there is one.
    """
    files, path = Files(), disk / INDEX_NAME
    if files.exists(path):
        return path
    try:
        names = sorted(files.list_folder(disk))
    except OSError as error:
        words = error.strerror or str(error)
    else:
        disks = (disk / name for name in names if files.exists(disk / name / INDEX_NAME))
        near = next(disks, None)
        words = f"no disk of a recorder: it has no {INDEX_NAME}" + (
            "; a disk whose index is lost gets one by axis-nvr rebuild"
            if near is None
            else f", but {near} has"
        )
    raise StorageError(StorageErrorKind.ABSENT, disk, words)


@contextmanager
def index_of(arguments: argparse.Namespace) -> Iterator[Index]:
    """Open the index of the disk that a command is about."""
    path = index_path(arguments.disk)
    have_it_told(arguments.disk)
    index = Index.open_read_only(Files(), path)
    try:
        yield index
    finally:
        index.close()
