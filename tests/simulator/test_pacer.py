"""One timer for many tasks."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.simulator.pacer import Pacer


class PacerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.pacer = Pacer(self.clock)
        self.calls: list[str] = []

    def task(self, name: str, period: float | None):  # type: ignore[no-untyped-def]
        def call(now: float) -> float | None:
            self.calls.append(name)
            return None if period is None else now + period

        return call

    def test_all_in_order_with_one_timer(self) -> None:
        """Tasks run when they are due, and there is never more than one timer."""
        self.pacer.add(0.2, self.task("b", None))
        self.pacer.add(0.1, self.task("a", 0.15))
        for _ in range(30):
            self.assertLessEqual(len(self.clock.getDelayedCalls()), 1)
            self.clock.advance(0.01)
        self.assertEqual(self.calls, ["a", "b", "a"])
        self.assertEqual(len(self.pacer), 1)

    def test_removed(self) -> None:
        """A task that is taken away is not called; the timer goes with the last one."""
        task = self.task("a", 0.1)
        self.pacer.add(0.1, task)
        self.pacer.remove(task)
        self.pacer.remove(task)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_removed_by_another_or_itself(self) -> None:
        """Taking tasks away while they run is no error, and they do not come back."""

        def call(now: float) -> float | None:
            self.pacer.remove(call)
            self.pacer.remove(other)
            self.calls.append("call")
            return now + 0.1

        other = self.task("other", 0.1)
        self.pacer.add(0.1, call)
        self.pacer.add(0.1, other)
        self.clock.advance(1.0)
        self.assertEqual(self.calls, ["call"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_task_that_fails_does_not_stop_the_others(self) -> None:
        """What one raises is logged, and the others go on."""

        def call(now: float) -> float | None:
            raise ZeroDivisionError

        self.pacer.add(0.1, call)
        self.pacer.add(0.1, self.task("a", None))
        self.clock.advance(0.2)
        self.assertEqual(self.calls, ["a"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_task_due_at_once_lets_others_run(self) -> None:
        """A task that is due again in the same moment does not hold the reactor."""
        left = [3]

        def call(now: float) -> float | None:
            self.calls.append("call")
            left[0] -= 1
            return now if left[0] else None

        self.pacer.add(0.1, call)
        self.pacer.add(0.1, self.task("other", None))
        self.clock.advance(0.1)
        self.assertEqual(self.calls, ["call", "other", "call", "call"])
