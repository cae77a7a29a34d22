"""The documents of one camera, taken as fast as they can be afforded.

A camera tells a few events a second. One that tells ten thousand, by a fault or by intent, must not
cost the other cameras their share of the processor: reading a document takes tens of microseconds.
So each camera has an allowance, filled up again as time goes by. What comes beyond it waits, and of
what waits only the newest document about one event: whatever it said before is out of date. What
waits is bounded too; beyond that the oldest is given up.

Which event a document is about is told without reading it, from all that stands before its data but
for time and operation. A document with several notifications stands for itself.
"""

import re
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Documents that may be read at once, and how many more each second brings.
BURST_DOCUMENTS = 400
DOCUMENTS_PER_SECOND = 200
#: A document counts once, and once more for so many bytes.
BYTES_PER_DOCUMENT = 4096
#: Documents that wait, and their bytes in all.
MAX_WAITING = 256
MAX_WAITING_BYTES = 1024 * 1024
#: How often it is looked whether what waits can be afforded, in seconds.
DRAIN_SECONDS = 0.1

_DATA = re.compile(rb"<(?:[\w.-]+:)?Data[\s>/]")
_JSON_DATA = re.compile(rb'"data"\s*:')
_JSON_TIME = re.compile(rb'"timestamp"\s*:\s*[0-9.]+')
_VOLATILE = re.compile(rb"(?:UtcTime|PropertyOperation)\s*=\s*(?:\"[^\"]*\"|'[^']*')")


class Intake:
    """Hands documents on within an allowance.

    :param take: takes each document; it does not raise.
    :param clock: the reactor.
    :ivar coalesced: documents that a newer one about the same event has replaced.
    :ivar dropped: documents that were given up, so that something may have been missed.
    """

    def __init__(self, take: Callable[[bytes], None], clock: IReactorTime) -> None:
        self.coalesced = 0
        self.dropped = 0
        self._take = take
        self._clock = clock
        self._allowance = float(BURST_DOCUMENTS)
        self._filled = clock.seconds()
        self._waiting: dict[bytes, bytes] = {}
        self._waiting_bytes = 0
        self._timer: IDelayedCall | None = None

    def push(self, document: bytes) -> None:
        """Hand a document on, or let it wait."""
        if not self._waiting and self._afford(document):
            self._take(document)
        else:
            self._wait(document)

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self._waiting_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _afford(self, document: bytes) -> bool:
        """Pay for a document, if anything is left of the allowance; a large one leaves a debt."""
        now = self._clock.seconds()
        more = (now - self._filled) * DOCUMENTS_PER_SECOND
        self._allowance = min(self._allowance + more, BURST_DOCUMENTS)
        self._filled = now
        if self._allowance < 1:
            return False
        self._allowance -= 1 + len(document) / BYTES_PER_DOCUMENT
        return True

    def _wait(self, document: bytes) -> None:
        """Keep a document in the place of an older one about the same event."""
        key = event_of(document)
        older = self._waiting.pop(key, None)
        if older is not None:
            self.coalesced += 1
            self._waiting_bytes -= len(older)
        self._waiting[key] = document
        self._waiting_bytes += len(document)
        while len(self._waiting) > MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
            self.dropped += 1
            self._next()
        if self._timer is None:
            self._timer = self._clock.callLater(DRAIN_SECONDS, self._drain)

    def _next(self) -> bytes:
        """Take the oldest out of those that wait."""
        document = self._waiting.pop(next(iter(self._waiting)))
        self._waiting_bytes -= len(document)
        return document

    def _drain(self) -> None:
        self._timer = None
        while self._waiting and self._afford(self._waiting[next(iter(self._waiting))]):
            self._take(self._next())
        if self._waiting and self._timer is None:
            self._timer = self._clock.callLater(DRAIN_SECONDS, self._drain)


def event_of(document: bytes) -> bytes:
    """Return what tells the event of a document from others: the same for the same event."""
    if document[:1] == b"{":
        return _event_of_message(document)
    data = _DATA.search(document)
    if data is None or document.count(b"UtcTime") != 1 or b"Source" in document[data.end() :]:
        return document
    return _VOLATILE.sub(b"", document[: data.start()])


def _event_of_message(message: bytes) -> bytes:
    """Do the same for a message by WebSocket."""
    data = _JSON_DATA.search(message)
    if data is None or b'"source"' in message[data.end() :] or b'"key"' in message[data.end() :]:
        return message
    return _JSON_TIME.sub(b"", message[: data.start()])
