"""Which of the units that arrived was the quickest: delay makes units late, never early.

Pictures that others refer to are sent before their turn, with the timestamp of their turn: with
B-frames a P picture is 100 ms "early" for as long as it waits to be shown. It is known by what
comes next, an earlier picture, and does not count.

::

    sent   I0 P3 B1 B2 P6 B4 B5       P3 and P6 are followed by an earlier one
"""


class QuickestArrival:
    """Finds the quickest unit of those it is told.

    :ivar best: microseconds late, and ticks, of the quickest; None before two were told.
    """

    __slots__ = ("_latest", "best")

    def __init__(self) -> None:
        self._latest: tuple[int, int] | None = None
        self.best: tuple[int, int] | None = None

    def take(self, ticks: int, late_us: int) -> None:
        """Take a unit, in the order of arrival.

        :param late_us: how much later it came than its ticks say, from any origin.
        """
        latest = self._latest
        if latest is not None and latest[1] < ticks and (self.best is None or latest < self.best):
            self.best = latest
        self._latest = late_us, ticks

    def clear(self) -> None:
        """Forget all units: a new period begins, or a new line."""
        self._latest = self.best = None
