"""The way of a track's packets to its client, where faults happen to them.

In this order: a cut ends a frame early, then each packet may be lost, doubled or held back for
others to overtake it, and then all of what is left may be late. Without an active fault a frame
goes straight through.
"""

from collections import deque
from collections.abc import Sequence

from axis_nvr.protocols.presentation import IDelivery
from axis_nvr.simulator.faults import FaultBoard
from axis_nvr.simulator.pacer import GRANULARITY_SECONDS, Pacer

#: Frames of one track that wait because of a delay; the oldest are given up.
MAX_DELAYED_FRAMES = 10_000


class FaultPath:
    """Sends the packets of one track, with the faults of its camera.

    :param track: ``video``, ``audio`` or ``metadata``.
    """

    def __init__(self, faults: FaultBoard, pacer: Pacer, delivery: IDelivery, track: str) -> None:
        self._faults = faults
        self._pacer = pacer
        self._delivery = delivery
        self._track = track
        self._held: list[tuple[int, bytes]] = []  # packets to go before it, packet
        self._late: deque[tuple[float, list[bytes]]] = deque()

    @property
    def payload_limit(self) -> int:
        """Bytes of the largest RTP payload that the client takes."""
        return self._delivery.payload_limit

    def send(self, packets: Sequence[bytes]) -> bool:
        """Send the packets of one frame.

        :returns: False if the client is too slow to take them.
        """
        if not self._faults.active and not self._held and not self._late:
            return self._delivery.send(packets)
        left = list(packets)
        fault = self._faults.happens("cut", self._track)
        if fault is not None:
            if fault.parameters["disconnect"]:
                self._break_off(left)
                return True
            left = left[: len(left) // 2]
        left = self._reordered([p for packet in left for p in self._copies(packet)])
        late = self._faults.current("delay", self._track)
        if late is None and not self._late:
            return not left or self._delivery.send(left)
        delay = 0.0
        if late is not None:
            self._faults.happens("delay", self._track)
            delay = late.number("delay") + self._faults.random.random() * late.number("jitter")
        self._delay(left, delay)
        return True

    def send_report(self, data: bytes) -> None:
        """Send one RTCP compound; no fault happens to it."""
        self._delivery.send_report(data)

    def stop(self) -> None:
        """Forget what is held."""
        self._pacer.remove(self._send_late)
        self._late.clear()
        self._held.clear()

    def _break_off(self, packets: list[bytes]) -> None:
        """Send half of a frame, the last packet of it in part, and end the connection."""
        whole = len(packets) // 2
        if whole:
            self._delivery.send(packets[:whole])
        self._delivery.send_partly(packets[whole], len(packets[whole]) // 2)
        self._delivery.disconnect()

    def _copies(self, packet: bytes) -> list[bytes]:
        """Return a packet as often as it arrives."""
        if self._faults.happens("drop", self._track):
            return []
        if self._faults.happens("duplicate", self._track):
            return [packet, packet]
        return [packet]

    def _reordered(self, packets: list[bytes]) -> list[bytes]:
        """Let packets overtake those that are held."""
        out: list[bytes] = []
        for packet in packets:
            fault = self._faults.happens("reorder", self._track)
            if fault is not None:
                self._held.append((int(fault.number("distance")), packet))
                continue
            out.append(packet)
            held, self._held = self._held, []
            for left, waiting in held:
                if left <= 1:
                    out.append(waiting)
                else:
                    self._held.append((left - 1, waiting))
        return out

    def _delay(self, packets: list[bytes], delay: float) -> None:
        """Send packets later, never before those that wait already."""
        due = self._pacer.clock.seconds() + delay
        if self._late:
            due = max(due, self._late[-1][0])
        self._late.append((due, packets))
        if len(self._late) == 1:
            self._pacer.add(due, self._send_late)
        elif len(self._late) > MAX_DELAYED_FRAMES:
            self._late.popleft()

    def _send_late(self, now: float) -> float | None:
        while self._late and self._late[0][0] <= now + GRANULARITY_SECONDS:
            _, packets = self._late.popleft()
            if packets:
                self._delivery.send(packets)
        return self._late[0][0] if self._late else None
