"""Reading a disk from the reactor's thread: Deferreds in front of a few threads.

Theory of operation. What is read comes from files and from an index that the writer writes to at
the same time. Each thread of the pool has a connection of its own for reading; SQLite's journal
(WAL) lets it see the last transaction while the next one is written, so that neither waits for the
other. A cursor is used by one thread at a time, whichever it is.

What is durable may wait before the index is told of it. Whoever asks has it told first, so that
nobody is shown less than there is.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, DeferredSemaphore, fail

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.files import IFiles
from axis_nvr.storage.housekeeping import CatchUp, nothing_waits
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import INDEX_NAME
from axis_nvr.storage.reading.catalogue import count_recordings, events, sources
from axis_nvr.storage.reading.connections import Connections
from axis_nvr.storage.reading.cursor import Cursor, Edge
from axis_nvr.storage.reading.device_trail import DeviceTrail
from axis_nvr.storage.reading.gops import StoredGop
from axis_nvr.storage.reading.maps import MapCache
from axis_nvr.storage.reading.search import count, find, place_of
from axis_nvr.storage.reading.trail import RecordingTrail, Trail

#: Questions that are about recordings alone, and not about their blocks.
OF_RECORDINGS = frozenset({find, count, place_of, count_recordings, events, sources})
#: Questions and groups of one disk that may be read at a time; others wait for their turn.
MAX_AT_ONCE = 8

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


class InThread(Protocol):
    """Calls a function in a thread, such as a ``partial`` of `deferToThreadPool`."""

    def __call__(self, function: Callable[[], Answer]) -> "Deferred[Answer]":
        """Give what the function returns, in the reactor's thread."""


class Reader:
    """Reads one disk.

    :param folder: the disk's folder.
    :param in_thread: calls a function in a thread of a pool.
    :param catch_up: has the index know all that is durable.
    :ivar maps: what is known of its blocks, for what is called in a thread.
    """

    def __init__(
        self,
        files: IFiles,
        folder: Path,
        in_thread: InThread,
        catch_up: CatchUp = nothing_waits,
    ) -> None:
        self._files = files
        self.maps = MapCache(files, folder)
        self._connections = Connections(files, folder / INDEX_NAME)
        self._in_thread = in_thread
        self._catch_up = catch_up
        self._turns = DeferredSemaphore(MAX_AT_ONCE)
        self._closed = StorageError(StorageErrorKind.CLOSED, folder, "the disk is let go of")
        self._is_closed = False

    def ask(
        self,
        question: Callable[Concatenate[Index, Arguments], Answer],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> "Deferred[Answer]":
        """Ask the index: `find`, `count`, `events` and so on, without their first argument.

        :returns: the answer. Cancelling it while it waits for its turn takes the question back;
            later it changes nothing.
        :raises StorageError: as a failure: the index cannot be read.
        """

        def ask() -> Answer:
            return question(self._connections.here(), *arguments, **named)

        return self._call(ask, recordings_only=question in OF_RECORDINGS)

    def run(self, function: Callable[[], Answer]) -> "Deferred[Answer]":
        """Call what reads in a thread, when it is its turn; for cursors."""
        return self._call(function)

    def _call(
        self, function: Callable[[], Answer], *, recordings_only: bool = False
    ) -> "Deferred[Answer]":
        def call() -> Answer:
            self._catch_up(recordings_only=recordings_only)
            try:
                return function()
            except StorageError:
                self._connections.drop()  # the disk may be another one when it is asked again
                raise

        if self._is_closed:
            return fail(self._closed)
        turn: Deferred[Any] = self._turns.run(self._in_thread, call)
        return turn

    def recording(self, recording_id: str) -> "ReadingCursor":
        """Give a cursor over a recording, which stands before its beginning."""
        return self._cursor(RecordingTrail(self._connections.here, recording_id))

    def device(self, device: str) -> "ReadingCursor":
        """Give a cursor over all recordings of a device, which stands before their beginning."""
        return self._cursor(DeviceTrail(self._connections.here, device))

    def _cursor(self, trail: Trail) -> "ReadingCursor":
        cursor = Cursor(self._files, self._connections.here, trail, self.maps)
        return ReadingCursor(self, cursor)

    def close(self) -> "Deferred[None]":
        """Let what is being read end, and close the index; what is asked after it is refused.

        :returns: fires when it is closed. Cancelling it leaves it open.
        """
        self._is_closed = True
        turns = [self._turns.acquire() for _ in range(MAX_AT_ONCE)]
        return turns[-1].addCallback(lambda _: self._connections.close())


class ReadingCursor:
    """A `Cursor` for the reactor's thread; what is asked of it is done in order.

    Cancelling what is being read does not stop it, and the cursor has moved; what waits for its
    turn is taken back.
    """

    def __init__(self, reader: Reader, cursor: Cursor) -> None:
        self._reader = reader
        self._cursor = cursor
        self._lock = DeferredLock()

    def _run(self, function: Callable[[], Answer]) -> "Deferred[Answer]":
        done: Deferred[Answer] = self._lock.run(self._reader.run, function)
        return done

    def seek(self, utc_us: int, *, backward: bool = False) -> "Deferred[None]":
        """See `Cursor.seek`."""
        return self._run(lambda: self._cursor.seek(utc_us, backward=backward))

    def next_gop(self) -> "Deferred[StoredGop | Edge]":
        """See `Cursor.next_gop`."""
        return self._run(self._cursor.next_gop)

    def previous_gop(self) -> "Deferred[StoredGop | Edge]":
        """See `Cursor.previous_gop`."""
        return self._run(self._cursor.previous_gop)
