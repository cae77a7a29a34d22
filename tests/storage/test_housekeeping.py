"""Chores: in turns, tried again, woken."""

import threading
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import NvrError
from axis_nvr.storage.housekeeping import RETRY_SECONDS, Housekeeping


class Work:
    """A chore that says what it is told to say."""

    def __init__(self, name: str, log: list[str], answer: Callable[[], float | None]) -> None:
        self.name = name
        self._log = log
        self._answer = answer

    def step(self) -> float | None:
        self._log.append(self.name)
        return self._answer()


class HousekeepingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 0.0
        self.log: list[str] = []
        self.failures: list[tuple[str, str]] = []

    def keep(self, **answers: Callable[[], float | None]) -> Housekeeping:
        return Housekeeping(
            [Work(name, self.log, answer) for name, answer in answers.items()],
            lambda: self.now,
            lambda name, error: self.failures.append((name, str(error))),
        )

    def advance(self, keeping: Housekeeping, until: float) -> None:
        while self.now < until:
            delay = keeping.step()
            assert delay is not None
            self.now += min(max(delay, 0.001), until - self.now)

    def test_in_turns(self) -> None:
        """A chore that always has more to do does not keep another from its turn."""
        keeping = self.keep(long=lambda: 0.0, rare=lambda: 10.0)
        self.advance(keeping, 25.0)
        self.assertEqual(self.log.count("rare"), 3)
        self.assertGreater(self.log.count("long"), 1000)

    def test_done_for_good(self) -> None:
        """What is done has no further step."""
        keeping = self.keep(once=lambda: None)
        self.advance(keeping, 100.0)
        self.assertEqual(self.log, ["once"])

    def test_a_failure_is_told_and_tried_again(self) -> None:
        """An error ends neither the chore nor the others, and is told as often as it is news."""
        answers = iter(("no", "no", "never", "", "never"))

        def broken() -> float:
            words = next(answers)
            if words:
                raise NvrError(words)
            return RETRY_SECONDS

        keeping = self.keep(broken=broken, other=lambda: 20.0)
        self.advance(keeping, 4 * RETRY_SECONDS + 1)
        told = [("broken", words) for words in ("no", "never", "never")]
        self.assertEqual((self.failures, self.log.count("broken")), (told, 5))
        self.assertEqual(self.log.count("other"), 7)

    def test_woken(self) -> None:
        """A chore that waits goes on at once when it is woken."""
        keeping = self.keep(rare=lambda: 1000.0)
        self.advance(keeping, 5.0)
        keeping.wake("rare")
        self.advance(keeping, 6.0)
        self.assertEqual(self.log, ["rare", "rare"])

    def test_stopped_while_it_waits(self) -> None:
        """Stopping does not wait for what is due in an hour."""
        stepped = threading.Event()

        def answer() -> float:
            stepped.set()
            return 3600.0

        keeping = self.keep(rare=answer)
        thread = threading.Thread(target=keeping.run)
        thread.start()
        self.assertTrue(stepped.wait(10))
        keeping.stop()
        thread.join(10)
        self.assertFalse(thread.is_alive())
