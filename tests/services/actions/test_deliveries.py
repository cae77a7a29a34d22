"""Messages on their way: tried again, given up, dropped, never waited for."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.actions.deliveries import (
    FIRST_PAUSE_SECONDS,
    MAX_WAITING,
    TRIES,
    TRY_SECONDS,
    Deliveries,
    DeliveryFailed,
    DeliveryRefused,
)


class DeliveriesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.failures: list[str] = []
        self.sent: list[Any] = []
        self.tries: list[Deferred[None]] = []
        self.deliveries = Deliveries(
            "Mail", "a server", self.send, self.clock, self.failures.append
        )

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        trial: Deferred[None] = Deferred()
        self.tries.append(trial)
        await trial

    def break_off(self, error: Exception | None = None) -> None:
        self.tries[-1].errback(error or DeliveryFailed("busy"))

    def test_in_order(self) -> None:
        """One after the other: the next when the one before is through."""
        for number in range(3):
            self.deliveries.add(number)
        self.assertEqual(self.sent, [0])
        for _ in range(3):
            self.tries[-1].callback(None)
        self.assertEqual((self.sent, self.deliveries.counts.delivered), ([0, 1, 2], 3))
        self.deliveries.add(3)
        self.assertEqual(self.sent[3:], [3])

    def test_tried_again(self) -> None:
        """At growing intervals, then given up and told; what waits goes on."""
        self.deliveries.add("a")
        self.deliveries.add("b")
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(1, TRIES):
            self.break_off()
            self.clock.advance(pause - 0.1)
            self.assertEqual(len(self.sent), attempt)
            self.clock.advance(0.1)
            pause *= 2
        self.assertEqual(self.failures, [])
        self.break_off(ConnectError())
        self.assertEqual(len(self.failures), 1)
        self.assertIn("a server: An error occurred while connecting", self.failures[0])
        self.assertEqual(self.sent, ["a"] * TRIES + ["b"])
        self.assertEqual(self.deliveries.counts.failed, 1)

    def test_refused_for_good(self) -> None:
        """It is not tried again."""
        self.deliveries.add("a")
        self.break_off(DeliveryRefused("no such user"))
        self.assertEqual(self.failures, ["a server: no such user"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_answer(self) -> None:
        """A try has its time, also when the other side ends it with an error of its own."""
        self.deliveries.add("a")
        self.clock.advance(TRY_SECONDS)
        self.clock.advance(FIRST_PAUSE_SECONDS)
        self.assertEqual(self.sent, ["a", "a"])
        for _ in range(TRIES - 1):
            self.clock.pump([TRY_SECONDS, 60])
        self.assertIn(f"no answer within {TRY_SECONDS:g} s", self.failures[0])

    def test_bounded(self) -> None:
        """More come than go: the oldest that wait are dropped, and counted."""
        for number in range(MAX_WAITING + 4):
            self.deliveries.add(number)
        for _ in range(MAX_WAITING + 1):
            self.tries[-1].callback(None)
        self.assertEqual(self.sent, [0, *range(4, MAX_WAITING + 4)])
        self.assertEqual(self.deliveries.counts.dropped, 3)

    def test_ended(self) -> None:
        """Nothing is left: neither of what is being sent, nor of what pauses, nor of what waits."""
        for pauses in (False, True):
            deliveries = Deliveries("Mail", "x", self.send, self.clock, self.failures.append)
            deliveries.add("a")
            deliveries.add("b")
            before = len(self.sent)
            if pauses:
                self.break_off()
            deliveries.end()
            deliveries.add("c")
            self.clock.advance(1000)
            self.assertEqual(len(self.sent), before)
        self.assertEqual((self.failures, self.clock.getDelayedCalls()), ([], []))

    def test_ended_while_a_library_hides_it(self) -> None:
        """One that tells a cancelled request as an error of its own does not make us try again."""

        async def send(message: Any) -> None:
            self.sent.append(message)
            try:
                await Deferred()
            except CancelledError:
                raise DeliveryFailed("never received") from None

        deliveries = Deliveries("Mail", "x", send, self.clock, self.failures.append)
        deliveries.add("a")
        deliveries.end()
        self.clock.advance(1000)
        self.assertEqual((self.sent, self.failures), (["a"], []))
        self.assertEqual(self.clock.getDelayedCalls(), [])
