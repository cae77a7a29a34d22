"""Free memory goes back to the system."""

import ctypes
from types import SimpleNamespace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.memory import TRIM_SECONDS, Trimming, find_trim


class TrimTests(SynchronousTestCase):
    def test_it_can_be_called(self) -> None:
        """On the system that runs this test, whichever it is."""
        find_trim()()

    def test_other_libraries(self) -> None:
        """Where the C library has nothing of the kind, nothing happens."""
        self.patch(ctypes, "CDLL", lambda _: SimpleNamespace())
        self.assertIsNone(find_trim()())

    def test_now_and_then(self) -> None:
        """What the start left goes back at once, then what a while has left, until it stops."""
        calls: list[int] = []

        def trim(spared_bytes: int) -> None:
            calls.append(spared_bytes)

        self.patch(ctypes, "CDLL", lambda _: SimpleNamespace(malloc_trim=trim))
        clock = Clock()
        trimming = Trimming(clock)
        trimming.startService()
        self.assertEqual(calls, [0])
        clock.advance(TRIM_SECONDS)
        self.assertEqual(calls, [0, 0])
        trimming.stopService()
        self.assertEqual(clock.getDelayedCalls(), [])
