"""A file on its way to a client: read in a thread, piece by piece, as fast as the client takes it.

While one piece is sent the next is read, and no more than that; so a client that is slow holds two
pieces, and one that has left is noticed before the next.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from threading import Lock
from typing import Any

from twisted.internet.defer import Deferred

from axis_nvr.storage.reading.moving import Piece

#: Small pieces are put together until there are so many bytes, and large ones are cut.
MIN_BYTES = 256 * 1024
MAX_BYTES = 1024 * 1024

#: Calls something in a thread when it is its turn.
Run = Callable[[Callable[[], Any]], "Deferred[Any]"]


class Batches:
    """Pieces of a convenient size; used by one thread at a time, and ended by any."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")
        self._lock = Lock()
        self._is_over = False

    def next(self) -> bytes:
        """Give the next ones; nothing at the end."""
        with self._lock:
            data = b"" if self._is_over else self._next()
        if self._is_over:  # somebody could not end it while it was read
            self.close()
        return data

    def _next(self) -> bytes:
        if len(self._rest) > MAX_BYTES:
            return self._part()
        taken: list[Piece] = [self._rest] if self._rest else []
        size = len(self._rest)
        self._rest = memoryview(b"")
        while size < MIN_BYTES and (piece := next(self._pieces, None)) is not None:
            taken.append(piece)
            size += len(piece)
        if size <= MAX_BYTES:
            return b"".join(taken)
        self._rest = memoryview(taken[0] if len(taken) == 1 else b"".join(taken))
        return self._part()

    def _part(self) -> bytes:
        part, self._rest = bytes(self._rest[:MAX_BYTES]), self._rest[MAX_BYTES:]
        return part

    def close(self) -> None:
        """Read no more, from now on or from the end of what is just being read."""
        self._is_over = True
        if self._lock.acquire(blocking=False):
            try:
                self._rest = memoryview(b"")
                close = getattr(self._pieces, "close", None)
                if close is not None:
                    close()
            finally:
                self._lock.release()


class Flow(AsyncIterator[bytes]):
    """Gives a file; `aclose` ends it early.

    :param run: calls what reads in a thread.
    :param begun: called when the first piece is asked for.
    :param ended: called once when it ends, early or not, if it had begun.
    """

    def __init__(
        self,
        run: Run,
        pieces: Iterator[Piece],
        begun: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self._run = run
        self._batches = Batches(pieces)
        self._begun = begun
        self._ended = ended
        self._ahead: Deferred[bytes] | None = None
        self._is_open = False
        self._is_over = False

    async def __anext__(self) -> bytes:
        if self._is_over:
            raise StopAsyncIteration
        if not self._is_open:
            self._is_open = True
            self._begun()
        reading = self._ahead or self._run(self._batches.next)
        self._ahead = None
        data = await reading
        if not data:
            await self.aclose()
            raise StopAsyncIteration
        self._ahead = self._run(self._batches.next)
        return data

    async def aclose(self) -> None:
        """End; what is just being read is left to itself."""
        if self._is_over:
            return
        self._is_over = True
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.addErrback(lambda failure: None)  # it was cancelled, or nobody wants it any more
            ahead.cancel()
        self._batches.close()
        if self._is_open:
            self._ended()
