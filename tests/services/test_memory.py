"""Free memory goes back to the system."""

import ctypes
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.memory import find_trim


class TrimTests(SynchronousTestCase):
    def test_it_can_be_called(self) -> None:
        """On the system that runs this test, whichever it is."""
        find_trim()()

    def test_other_libraries(self) -> None:
        """Where the C library has nothing of the kind, nothing happens."""
        self.patch(ctypes, "CDLL", lambda _: SimpleNamespace())
        self.assertIsNone(find_trim()())
