"""Telling the index of a disk what is durable and not in it yet.

The writer's thread tells it when something is due, all that waits in one transaction. Any other
thread that is about to read the index, or to change it, has it told what waits (`catch_up`): it
does so itself, in its own thread and by a connection of its own, so that it waits for no media to
be written.

What may wait need not be durable in the index to be safe: it is found again in its folders
(`axis_nvr.storage.horizon`). So a transaction for somebody who asks is not synced, unless it tells
something that may not wait.
"""

import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Lock

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.files import IFiles, storage_errors
from axis_nvr.storage.horizon import HORIZON_STATE, Horizon
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import INDEX_NAME
from axis_nvr.storage.recording import RecordingWriter
from axis_nvr.storage.repair.opening import condemn_index

#: So many changes wait at most, of all recordings; then they are told.
MAX_GATHERED = 1000
#: Changes of the index that may wait for it when it takes none: an index that does not for so long
#: is broken. The blocks themselves tell what is in them.
MAX_WAITING_INDEX_WRITES = 20_000
#: An index that took no change is tried again after so long, in seconds, while nothing else is to
#: be written, and not sooner for who asks.
INDEX_RETRY_SECONDS = 1.0
#: An index that fails so often in a row, with errors that do not pass by themselves, is lost.
MAX_INDEX_FAILURES = 5
#: So long is waited for another thread that tells it, in seconds.
PATIENCE_SECONDS = 5.0

#: What could not be made durable, by recording.
Failures = dict[RecordingWriter | None, StorageError]


class IndexTeller:
    """Tells one disk's index; the writer's, but for `catch_up` and `busy_ids`.

    :param monotonic: a clock that never steps, in seconds.
    :ivar running: recordings being written, by id; replaced, never changed.
    :ivar trouble: the index is lost: the disk must be opened again.
    """

    def __init__(self, files: IFiles, folder: Path, monotonic: Callable[[], float]) -> None:
        self.running: Mapping[str, RecordingWriter] = {}
        self.trouble: StorageError | None = None
        self._files = files
        self._folder = folder
        self._monotonic = monotonic
        self._index: Index | None = None
        self._asked: Index | None = None
        self._horizon: Horizon | None = None
        self._ended: tuple[RecordingWriter, ...] = ()
        self._failures = 0
        self._refused_at: float | None = None
        self._lock = Lock()

    def open(self, index: Index, horizon: Horizon) -> None:
        """Begin."""
        self._index, self._horizon = index, horizon

    def close(self) -> None:
        """Tell nothing more: the index is about to be closed."""
        with self._lock:
            asked, self._index, self._asked = self._asked, None, None
            if asked is not None:
                asked.close()

    def begin(self, recording: RecordingWriter) -> None:
        """Take a recording that is being written from now on."""
        self.running = {**self.running, recording.recording_id: recording}

    def let_go(self, recording: RecordingWriter) -> None:
        """Take note that a recording has ended; what waits of it still does."""
        if recording.index_writes.waiting:
            self._ended += (recording,)
        others = {name: it for name, it in self.running.items() if it is not recording}
        self.running = others

    def busy_ids(self) -> frozenset[str]:
        """Name the recordings that are written, or of which the index does not know all yet."""
        running = self.running  # first: one that ends in between is among the others by then
        ended = (it.recording_id for it in self._ended if it.index_writes.waiting)
        return frozenset(running).union(ended)

    def settle(self) -> None:
        """Take note that nothing of an earlier run is unknown any more."""
        if self._horizon is not None:
            self._horizon.is_settled = True

    def waiting(self) -> list[RecordingWriter]:
        """Give the recordings of which the index does not know all yet, but for their gaps."""
        return [it for it in self._every() if it.index_writes.waiting]

    @property
    def knows_all(self) -> bool:
        """Whether the index knows all that is durable, but for gaps."""
        return not any(it.index_writes.waiting for it in self._every())

    def _every(self) -> Iterable[RecordingWriter]:
        running, ended = self.running.values(), self._ended  # in this order: see `busy_ids`
        return dict.fromkeys((*ended, *running)) if ended else running  # one may be in both

    def delay(self) -> float | None:
        """Tell in how many seconds the index is to be told what it does not know.

        :returns: None if it knows everything. An index that has just refused is not asked at once.
        """
        due = min((it.due for it in self._every()), default=math.inf)
        if due == math.inf:
            return None
        return max(due - self._monotonic(), INDEX_RETRY_SECONDS if self._failures else 0.0)

    # The writer's thread.

    def tell_what_is_due(self, now: float, *, at_once: bool) -> Failures:
        """Tell all that waits, if something of it is due.

        :param at_once: all of it is.
        :returns: what the index did not take, by recording; it waits on.
        """
        is_due = at_once or any(it.due <= now for it in self._every())
        if not (is_due or _count(self._every()) >= MAX_GATHERED):
            return {}
        waiting = self._with_gaps()
        if not waiting:
            return {}
        failures: Failures = {}
        try:
            with self._lock:
                self._tell(self._index, waiting, may_move_on=True)
        except StorageError as error:  # what is not told stays, for the next batch
            failures = {it: error for it in waiting if it.index_writes.waiting}
            self._doubt(error)
        else:
            self._failures, self._refused_at = 0, None
        self._ended = tuple(it for it in self._ended if it.index_writes.waiting)
        return failures

    def _with_gaps(self) -> list[RecordingWriter]:
        """Lay out gaps that wait, and give the recordings of which the index does not know all."""
        for recording in self._every():
            recording.lay_out_gaps()
        return self.waiting()

    def _doubt(self, error: StorageError) -> None:
        """Tell whether the index is lost: it is opened again then, or made anew from the files."""
        self._failures += 1
        waiting = self.waiting()
        count = _count(waiting)
        if count > MAX_WAITING_INDEX_WRITES:
            for recording in waiting:
                recording.index_writes.clear()
        is_passing = error.kind in (StorageErrorKind.LOCKED, StorageErrorKind.FULL)
        is_lost = error.kind is StorageErrorKind.CORRUPT or count > MAX_WAITING_INDEX_WRITES
        if is_lost:
            condemn_index(self._files, self._folder)
        if is_lost or (self._failures >= MAX_INDEX_FAILURES and not is_passing):
            self.trouble = StorageError(StorageErrorKind.CORRUPT, error.path, error.message)

    # Any thread.

    def catch_up(self, *, recordings_only: bool = False) -> None:
        """Have the index know all that is durable, as far as it takes it; raises nothing.

        Not to be called within a transaction of the index.

        :param recordings_only: what no list of recordings shows may wait on.
        """
        waiting = self.waiting() if recordings_only else self._with_gaps()
        if not any(_is_shown(it, recordings_only=recordings_only) for it in waiting):
            return
        if not self._lock.acquire(timeout=PATIENCE_SECONDS):
            return
        try:
            now = self._monotonic()
            if self._refused_at is not None and now - self._refused_at < INDEX_RETRY_SECONDS:
                return
            try:
                self._tell(self._second(), self.waiting(), is_asked=True)
            except StorageError:  # the writer meets it too, and knows what to do
                self._refused_at = now
        finally:
            self._lock.release()

    def _second(self) -> Index | None:
        """Give the connection for those who ask; None if the disk is closed."""
        if self._asked is None and self._index is not None:
            self._asked = Index.join(self._files, self._folder / INDEX_NAME)
        return self._asked

    def _tell(
        self,
        index: Index | None,
        recordings: Sequence[RecordingWriter],
        *,
        may_move_on: bool = False,
        is_asked: bool = False,
    ) -> None:
        """Write to the index what it does not know yet, in one transaction; the lock is held.

        :param may_move_on: these are all recordings of which something waits, and this is the
            writer's thread: the horizon may move on.
        """
        horizon = self._horizon
        if index is None or horizon is None:
            return
        told = [(recording, recording.index_writes.waiting) for recording in recordings]
        every = [news for _, waiting in told for news in waiting]
        if not every:  # another thread was faster
            return
        hour = horizon.hour
        if may_move_on:
            hour = horizon.moved_on(news.hour for news in every)
        is_loose = is_asked and all(news.can_wait for news in every)
        try:
            with self._transaction(index, is_loose=is_loose):
                for news in every:
                    news.write(index)
                if may_move_on and hour != horizon.hour:
                    index.set_state(HORIZON_STATE, hour)
        except StorageError as error:
            if is_asked or not isinstance(error.__cause__, sqlite3.IntegrityError):
                raise
            if len(recordings) == 1:  # never writable: the files tell it when it is rebuilt
                recordings[0].index_writes.clear()
                raise
            for recording in recordings:  # the others are not to suffer
                with suppress(StorageError):
                    self._tell(index, [recording])
            raise
        if may_move_on:
            horizon.hour = hour
        for recording, waiting in told:
            recording.index_writes.forget(len(waiting))

    @contextmanager
    def _transaction(self, index: Index, *, is_loose: bool) -> Iterator[None]:
        path, mode = self._folder / INDEX_NAME, index.loosely() if is_loose else nullcontext()
        with storage_errors(path, "write the index"), mode, index.transaction():
            yield


def _is_shown(recording: RecordingWriter, *, recordings_only: bool) -> bool:
    """Tell whether who asks would see something of a recording that waits."""
    waiting = recording.index_writes.waiting
    return any(news.is_of_recording or not recordings_only for news in waiting)


def _count(recordings: Iterable[RecordingWriter]) -> int:
    """Count the changes that wait."""
    return sum(len(recording.index_writes.waiting) for recording in recordings)
