"""A socket of SSDP under a flood."""

from ipaddress import ip_interface
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.protocols.interfaces import LocalAddress
from axis_nvr.protocols.ssdp import MAX_READS_PER_SECOND, _Ears


class Flooded:
    """A socket in whose buffer so many datagrams wait."""

    def __init__(self) -> None:
        self.waiting = 0

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        if not self.waiting:
            raise BlockingIOError
        self.waiting -= 1
        return b"M-SEARCH", ("192.0.2.9", 40_000)

    def close(self) -> None:
        self.waiting = 0


class FloodTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.socket = Flooded()
        both: Any = self.socket
        self.taken = 0
        address = LocalAddress(ip_interface("192.0.2.1/24"), "eth0", 2)
        self.ears = _Ears(self.reactor, address, both, both, self.take)
        self.reactor.addReader(self.ears)

    def take(self, *_: Any) -> None:
        self.taken += 1

    def flood(self, count: int) -> None:
        """Send so much, one by one; it goes on coming when nobody reads."""
        for _ in range(count):
            self.socket.waiting = min(100, self.socket.waiting + 1)
            if self.ears in self.reactor.readers:
                self.ears.doRead()

    def test_a_flood(self) -> None:
        """So much is read in a second and no more, however it comes; in the next there is more."""
        self.flood(10 * MAX_READS_PER_SECOND)
        self.assertEqual(self.taken, MAX_READS_PER_SECOND)
        self.assertNotIn(self.ears, self.reactor.readers)
        self.reactor.advance(1.0)
        self.assertIn(self.ears, self.reactor.readers)
        self.flood(10 * MAX_READS_PER_SECOND)
        self.assertLessEqual(self.taken, 2 * MAX_READS_PER_SECOND + 32)

    def test_what_is_usual(self) -> None:
        """A few searches in each second are all read."""
        for _ in range(20):
            self.flood(50)
            self.reactor.advance(1.0)
        self.assertEqual(self.taken, 1000)

    def test_closed_while_it_rests(self) -> None:
        """Nothing is left behind."""
        self.flood(10 * MAX_READS_PER_SECOND)
        self.ears.close()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
