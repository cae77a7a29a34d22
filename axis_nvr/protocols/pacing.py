"""Datagrams in bursts that the socket buffers on the way hold.

A key frame, or all that a viewer is given at once when it begins, is more than a receiver's socket
buffer (Linux: 212 992 bytes by default, of which a packet of 1 400 takes 2 304): sent in one go,
its tail would be lost. So what exceeds a burst waits a little, and what comes behind it is turned
away until it has gone. A stream that needs more than that is given more, once it has been turned
away for a while: bursts grow, and stay so.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

#: Bytes sent at once to begin with, and again in each period: 26 Mbit/s.
BURST_BYTES = 32 * 1024
#: Bytes of the largest burst: 840 Mbit/s.
MAX_BURST_BYTES = 1024 * 1024
#: Seconds between two bursts.
PERIOD_SECONDS = 0.01
#: Seconds that frames are turned away before bursts are doubled: longer than a viewer of 4 Mbit/s
#: takes to be sent the two seconds that it begins with.
PATIENCE_SECONDS = 0.5


class PacedSender:
    """Sends the packets of one track to one client.

    :param clock: the reactor.
    :param send: sends one packet.
    :param resumed: called when frames are taken again after one was turned away.
    :ivar burst_bytes: of a burst, by now.
    """

    def __init__(
        self, clock: Any, send: Callable[[bytes], None], resumed: Callable[[], None]
    ) -> None:
        self.burst_bytes = BURST_BYTES
        self._clock = clock
        self._send = send
        self._resumed = resumed
        self._waiting: deque[bytes] = deque()
        self._allowance = float(BURST_BYTES)
        self._seen = clock.seconds()
        self._timer: Any = None
        self._refused = False
        self._behind_since: float | None = None

    def send(self, packets: Sequence[bytes]) -> bool:
        """Send the packets of one frame, as fast as is wise.

        :returns: False if one before it is still going out: nothing of this one is sent.
        """
        if self._timer is not None:
            self._refused = True
            self._grow()
            return False
        if self._clock.seconds() - self._seen >= PERIOD_SECONDS:  # the one before is long gone
            self._behind_since = None
        self._waiting += packets
        self._pour()
        return True

    def close(self) -> None:
        """Send nothing more."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _grow(self) -> None:
        """Double the bursts if they have been too small for a while."""
        now = self._clock.seconds()
        if self._behind_since is None:
            self._behind_since = now
        elif now - self._behind_since >= PATIENCE_SECONDS:
            self.burst_bytes = min(2 * self.burst_bytes, MAX_BURST_BYTES)
            self._behind_since = now

    def _pour(self) -> None:
        """Send what the allowance lets."""
        now, burst = self._clock.seconds(), float(self.burst_bytes)
        grown = self._allowance + (now - self._seen) * burst / PERIOD_SECONDS
        self._allowance, self._seen = min(burst, grown), now
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
