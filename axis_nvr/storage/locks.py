"""Locks: recordings, and spans of them, that nothing may remove.

A lock stands in two places: in the index, which everything that removes asks, and in ``locks.xml``
in the recording's folder, from which a lost index is made again. One rule keeps an acknowledged
lock from ever being lost: **the file never says less than the index.**

To lock:

1. The span is rounded out (`axis_nvr.storage.lock_span`).
2. A transaction begins; from here on nothing is removed. What is to be held is still there.
3. The row is added, and the file with it and all others is written and synced.
4. The transaction commits; the lock is acknowledged.

A stop between 3 and 4 leaves a lock in the file that nobody was told of: it is in force after a
rebuild, and gone with the next lock or unlock of that recording.

To unlock:

1. The row goes, and its transaction commits: the unlock is acknowledged.
2. In a transaction that changes nothing, so that nobody else locks meanwhile, the file is written
   as the rows then say.

A stop between the two leaves a lock in the file that is no longer in force, and is again after a
rebuild: too much is kept rather than too little.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from axis_nvr.errors import StorageError, StorageErrorKind, WireError
from axis_nvr.storage.files import IFiles
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import recording_folder, utc_text
from axis_nvr.storage.lock_span import check_span, find_recording, round_out
from axis_nvr.storage.locks_xml import (
    LOCKS_XML,
    MAX_LOCKS_PER_RECORDING,
    MAX_OWNER_LENGTH,
    MAX_REASON_LENGTH,
    MAX_TOKEN_LENGTH,
    Lock,
    read_locks,
    write_locks,
)

#: The most locks on one disk.
MAX_LOCKS = 100_000
#: Counts changes of the locks, in the index's state: whoever remembers what is locked looks at it.
LOCKS_CHANGED = "locks.changed"

_COLUMNS = (
    "SELECT l.token, r.filename, l.start_us, l.end_us, l.owner, l.reason, l.created_us"
    " FROM nvr_locks l JOIN recordings r ON r.id = l.recording_id"
)


class Locks:
    """The locks of a disk; for one thread, beside others that write the index.

    :param folder: the disk's.
    :param index: a connection that may write.
    :param now: the UTC clock, seconds since 1970.
    :param make_token: makes a name that nobody has.
    """

    def __init__(
        self,
        files: IFiles,
        folder: Path,
        index: Index,
        now: Callable[[], float],
        make_token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._files = files
        self._folder = folder
        self._index = index
        self._now = now
        self._make_token = make_token

    def lock(
        self,
        recording_id: str,
        start_us: int | None = None,
        end_us: int | None = None,
        *,
        reason: str,
        owner: str = "",
    ) -> Lock:
        """Lock a recording, or a span of it rounded out to groups of pictures.

        What is locked already can be locked again, and is then held until both locks are gone; the
        same words by the same owner for the same span are the same lock.

        :param start_us: UTC, microseconds since 1970; None: from the beginning.
        :param end_us: None: to the end; of a recording that runs, all that is still to come.
        :returns: the lock, durable.
        :raises StorageError: there is nothing to lock, a text or a count is over its limit, or the
            disk cannot be written.
        """
        self._check_text("reason", reason, MAX_REASON_LENGTH)
        self._check_text("owner", owner, MAX_OWNER_LENGTH)
        files, folder, index = self._files, self._folder, self._index
        span = round_out(files, folder, index, recording_id, start_us, end_us)
        with index.transaction():
            recording = find_recording(index, folder, recording_id)
            check_span(index, folder, recording, *span)
            locks = list(find_locks(index, recording_id))
            created_us = int(self._now() * 1e6)
            lock = Lock(self._make_token(), recording_id, *span, owner, reason, created_us)
            for other in locks:
                if _words(other) == _words(lock):
                    return other
            self._check_counts(len(locks))
            add_lock(index, recording.row_id, lock)
            path = recording_folder(folder, recording_id)
            write_locks(files, path, recording_id, [*locks, lock])
        return lock

    def _check_text(self, name: str, text: str, limit: int) -> None:
        if len(text) > limit or not text.isprintable() or (name == "reason" and not text.strip()):
            words = f"{name} must be one line of 1 to {limit} printable characters"
            raise StorageError(StorageErrorKind.FAILED, self._folder, words)

    def _check_counts(self, of_recording: int) -> None:
        of_disk = self._index.first("SELECT COUNT(*) FROM nvr_locks")[0]
        if of_recording >= MAX_LOCKS_PER_RECORDING or of_disk >= MAX_LOCKS:
            words = f"{of_recording} locks on the recording, {of_disk} on the disk: no more"
            raise StorageError(StorageErrorKind.FAILED, self._folder, words)

    def unlock(self, token: str) -> Lock:
        """Take a lock away.

        :returns: what it was.
        :raises StorageError: there is none of this name, or the disk cannot be written.
        """
        index = self._index
        with index.transaction():
            lock = next(find_locks(index, token=token), None)
            if lock is None:
                message = f"there is no lock {token!r:.80}"
                raise StorageError(StorageErrorKind.ABSENT, self._folder, message)
            index.execute("DELETE FROM nvr_locks WHERE token = ?", token)
            _count_change(index)
        with index.transaction():
            rows = list(find_locks(index, lock.recording_id))
            path = recording_folder(self._folder, lock.recording_id)
            write_locks(self._files, path, lock.recording_id, rows)
        return lock


def _words(lock: Lock) -> tuple[object, ...]:
    return lock.start_us, lock.end_us, lock.owner, lock.reason


def find_locks(
    index: Index, recording_id: str | None = None, *, token: str | None = None
) -> Iterator[Lock]:
    """Give the locks in force, by recording and in the order in which they were made.

    :param recording_id: those of this recording only.
    :param token: this one only.
    """
    order = "ORDER BY l.recording_id, l.created_us, l.token"
    if token is not None:
        rows = index.query(f"{_COLUMNS} WHERE l.token = ? {order}", token)
    elif recording_id is not None:
        rows = index.query(f"{_COLUMNS} WHERE r.filename = ? {order}", recording_id)
    else:
        rows = index.query(f"{_COLUMNS} {order}")
    return (Lock(*row) for row in rows)


def add_lock(index: Index, row_id: int, lock: Lock) -> None:
    """Add a lock's row, within a transaction."""
    index.execute(
        "INSERT INTO nvr_locks"
        " (token, recording_id, start_us, end_us, owner, reason, created_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        lock.token,
        row_id,
        lock.start_us,
        lock.end_us,
        lock.owner,
        lock.reason,
        lock.created_us,
    )
    _count_change(index)


def _count_change(index: Index) -> None:
    index.set_state(LOCKS_CHANGED, str(int(index.state(LOCKS_CHANGED) or "0") + 1))


def adopt_locks(files: IFiles, folder: Path, index: Index, recording_id: str) -> int:
    """Take the locks of a recording's file into the index, within a transaction.

    For an index that is made anew, in the transaction that adds the recording: so no moment comes
    in which what is locked could be removed. A file that cannot be understood locks the whole
    recording: too much is kept rather than too little.

    :returns: how many there are.
    :raises StorageError: the file cannot be read.
    """
    row_id = find_recording(index, folder, recording_id).row_id
    known = {lock.token for lock in find_locks(index, recording_id)}
    try:
        locks = read_locks(files, recording_folder(folder, recording_id))
    except WireError as error:
        reason = f"{LOCKS_XML} cannot be read: {error}"[:MAX_REASON_LENGTH]
        locks = [Lock(f"unreadable-{row_id}", recording_id, None, None, "", reason, 0)]
    for lock in locks:
        if lock.token not in known:
            add_lock(index, row_id, _with_own_token(index, row_id, lock))
    return len(locks)


def _with_own_token(index: Index, row_id: int, lock: Lock) -> Lock:
    """Give another name to a lock whose name another recording's has, as in a copied folder."""
    if next(find_locks(index, token=lock.token), None) is None:
        return lock
    return replace(lock, token=f"{lock.token[: MAX_TOKEN_LENGTH - 20]}-{row_id}")


def lock_words(lock: Lock) -> str:
    """Say for people who holds what, and why."""
    span = "all of it"
    if lock.start_us is not None or lock.end_us is not None:
        start = "its beginning" if lock.start_us is None else utc_text(lock.start_us)
        span = f"{start} to {'its end' if lock.end_us is None else utc_text(lock.end_us)}"
    owner = f" by {lock.owner}" if lock.owner else ""
    return f"{span}, locked{owner}: {lock.reason}"
