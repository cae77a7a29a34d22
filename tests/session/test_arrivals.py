"""Which unit was the quickest."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.arrivals import QuickestArrival


class QuickestArrivalTests(SynchronousTestCase):
    def quickest(self, *units: tuple[int, int]) -> tuple[int, int] | None:
        arrivals = QuickestArrival()
        for ticks, late_us in units:
            arrivals.take(ticks, late_us)
        return arrivals.best

    def test_the_least_late(self) -> None:
        """Of those that came it is the one least late; the latest is not judged yet."""
        self.assertEqual(self.quickest((0, 30), (1, 10), (2, 20), (3, 5)), (10, 1))

    def test_sent_before_its_turn(self) -> None:
        """A picture followed by an earlier one does not count."""
        self.assertEqual(self.quickest((0, 30), (3, -60), (1, 20), (2, 25), (6, -60)), (20, 1))

    def test_nothing_yet(self) -> None:
        """One unit cannot be judged."""
        self.assertIsNone(self.quickest((0, 30)))
