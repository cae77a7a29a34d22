"""Datagrams in bursts that the socket buffers on the way hold.

A key frame, or all that a viewer is given at once when it begins, is more than a receiver's socket
buffer (Linux: 212 992 bytes by default, of which a packet of 1 400 takes 2 304): sent in one go,
its tail would be lost. So what exceeds a burst waits a little, and what comes behind it is turned
away until it has gone.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

#: Bytes sent at once, and how many a second after that: 64 KiB each 10 ms.
BURST_BYTES = 64 * 1024
BYTES_PER_SECOND = 100 * BURST_BYTES
#: Seconds between two bursts.
PERIOD_SECONDS = 0.01


class PacedSender:
    """Sends the packets of one track to one client.

    :param clock: the reactor.
    :param send: sends one packet.
    :param resumed: called when frames are taken again after one was turned away.
    """

    def __init__(
        self, clock: Any, send: Callable[[bytes], None], resumed: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._send = send
        self._resumed = resumed
        self._waiting: deque[bytes] = deque()
        self._allowance = float(BURST_BYTES)
        self._seen = clock.seconds()
        self._timer: Any = None
        self._refused = False

    def send(self, packets: Sequence[bytes]) -> bool:
        """Send the packets of one frame, as fast as is wise.

        :returns: False if one before it is still going out: nothing of this one is sent.
        """
        if self._timer is not None:
            self._refused = True
            return False
        self._waiting += packets
        self._pour()
        return True

    def close(self) -> None:
        """Send nothing more."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pour(self) -> None:
        """Send what the allowance lets."""
        now = self._clock.seconds()
        grown = self._allowance + (now - self._seen) * BYTES_PER_SECOND
        self._allowance, self._seen = min(float(BURST_BYTES), grown), now
        while self._waiting and self._allowance > 0:
            packet = self._waiting.popleft()
            self._allowance -= len(packet)
            self._send(packet)
        if self._waiting:
            self._timer = self._clock.callLater(PERIOD_SECONDS, self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        self._pour()
        if self._timer is None and self._refused:
            self._refused = False
            self._resumed()
