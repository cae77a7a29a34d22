"""``axis-nvr lock``, ``unlock`` and ``locks``: what on a disk must not be removed.

All three work beside a recorder that has the disk: what they write to its index waits for its turn.
"""

import argparse
import getpass
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axis_nvr.cli.command import (
    EXIT_FAILED,
    EXIT_FOUND,
    EXIT_OK,
    Command,
    disk_arguments,
    have_it_told,
    index_of,
    index_path,
    print_json,
    print_table,
    printable,
    time_words,
    utc_or_none,
)
from axis_nvr.errors import StorageError, StorageErrorKind, WireError
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import parse_utc
from axis_nvr.storage.locks import Locks, find_locks
from axis_nvr.storage.locks_xml import MAX_OWNER_LENGTH, Lock


def lock_json(lock: Lock) -> dict[str, Any]:
    """Tell a lock to a program."""
    return {
        "locktoken": lock.token,
        "recordingid": lock.recording_id,
        "starttime": utc_or_none(lock.start_us),
        "stoptime": utc_or_none(lock.end_us),
        "owner": lock.owner,
        "reason": lock.reason,
        "created": utc_or_none(lock.created_us),
    }


def print_locks(locks: list[Lock], *, with_recording: bool) -> None:
    """Print locks, one a line; nothing if there are none."""
    if not locks:
        return
    titles = ["LOCK", "FROM", "TO", "OWNER", "REASON", "SINCE"]
    rows = [
        [
            lock.token,
            "beginning" if lock.start_us is None else time_words(lock.start_us),
            "end" if lock.end_us is None else time_words(lock.end_us),
            lock.owner or "-",
            lock.reason,
            time_words(lock.created_us),
        ]
        for lock in locks
    ]
    if with_recording:
        titles.insert(1, "RECORDING")
        for row, lock in zip(rows, locks, strict=True):
            row.insert(1, lock.recording_id)
    print_table(titles, rows)


def known_locks(index: Index, recording_id: str | None = None) -> list[Lock]:
    """Give the locks of a disk, or of a recording; none where an index has no such table."""
    if index.first("SELECT 1 FROM sqlite_master WHERE name = 'nvr_locks'") is None:
        return []
    return list(find_locks(index, recording_id))


@contextmanager
def _locks(arguments: argparse.Namespace) -> Iterator[Locks]:
    """Open a disk that exists for locking."""
    files, path = Files(), index_path(arguments.disk)
    have_it_told(arguments.disk)
    index = Index.open(files, path, int(time.time() * 1e6))
    try:
        yield Locks(files, arguments.disk, index, time.time)
    finally:
        index.close()


def _time(text: str) -> int:
    """Read a time of the command line: UTC, the fraction and the Z may be left out."""
    try:
        return parse_utc(text.strip().replace(" ", "T", 1).rstrip("Z") + "Z")
    except WireError:
        message = f"{text!r} is no UTC time such as 2026-01-31T23:59:59Z"
        raise argparse.ArgumentTypeError(message) from None


def _lock_arguments(parser: argparse.ArgumentParser) -> None:
    disk_arguments(parser)
    parser.add_argument("recording", help="the recording's id")
    for option, name, words in (("--from", "start", "beginning"), ("--to", "end", "end")):
        help_words = f"a time in UTC [default: its {words}]"
        parser.add_argument(option, dest=name, type=_time, metavar="TIME", help=help_words)
    parser.add_argument("--reason", required=True, help="why, in one line")
    parser.add_argument("--owner", default=_user(), help="who wants it [default: %(default)s]")


def _user() -> str:
    try:
        return getpass.getuser()[:MAX_OWNER_LENGTH]
    except (OSError, KeyError):
        return ""


def _lock(arguments: argparse.Namespace) -> int:
    with _locks(arguments) as locks:
        lock = locks.lock(
            arguments.recording,
            arguments.start,
            arguments.end,
            reason=arguments.reason,
            owner=arguments.owner,
        )
    if arguments.json:
        print_json(lock_json(lock))
    else:
        print_locks([lock], with_recording=True)
    return EXIT_OK


def _unlock_arguments(parser: argparse.ArgumentParser) -> None:
    disk_arguments(parser)
    parser.add_argument("lock", help="the lock's name, as told by locks")


def _unlock(arguments: argparse.Namespace) -> int:
    with _locks(arguments) as locks:
        try:
            lock = locks.unlock(arguments.lock)
        except StorageError as error:
            print(f"axis-nvr: {error.message}", file=sys.stderr)
            return EXIT_FOUND if error.kind is StorageErrorKind.ABSENT else EXIT_FAILED
    if arguments.json:
        print_json(lock_json(lock))
    else:
        print(printable(f"{lock.recording_id} is no longer locked by {lock.token}"))
    return EXIT_OK


def _list_locks(arguments: argparse.Namespace) -> int:
    with index_of(arguments) as index:
        locks = known_locks(index)
    if arguments.json:
        print_json([lock_json(lock) for lock in locks])
    else:
        print_locks(locks, with_recording=True)
    return EXIT_OK


LOCK = Command("lock", "keep a recording, or a span of it", _lock_arguments, _lock)
UNLOCK = Command("unlock", "take a lock away", _unlock_arguments, _unlock)
LOCKS = Command("locks", "list what is locked", disk_arguments, _list_locks)
