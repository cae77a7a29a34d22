"""How long to wait before a camera is tried again."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.backoff import Backoff
from axis_nvr.services.stream_errors import ErrorKind


class BackoffTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.jitter = 0.0
        self.backoff = Backoff(lambda: self.jitter)

    def delays(self, kind: ErrorKind, count: int) -> list[float | None]:
        return [self.backoff.next_delay(kind) for _ in range(count)]

    def test_at_once_after_the_first_drop(self) -> None:
        """The first drop of a stream that brought pictures costs no wait, the second does."""
        self.assertEqual(self.backoff.next_delay(ErrorKind.CONNECTION, True), 0.0)
        self.assertEqual(self.backoff.next_delay(ErrorKind.CONNECTION, True), 0.5)
        self.backoff.succeeded()
        self.assertEqual(self.backoff.next_delay(ErrorKind.MEDIA, True), 0.0)

    def test_doubled(self) -> None:
        """Waits double from half a second to half a minute."""
        waits = self.delays(ErrorKind.CONNECTION, 8)
        self.assertEqual(waits, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0])

    def test_kinds_that_pass_share_a_schedule(self) -> None:
        """A camera that starts goes through several kinds of failure; waits go on doubling."""
        kinds = (ErrorKind.DNS, ErrorKind.CONNECTION, ErrorKind.TIMEOUT, ErrorKind.TLS)
        waits = [self.backoff.next_delay(kind) for kind in kinds]
        self.assertEqual(waits, [0.5, 1.0, 2.0, 4.0])

    def test_jitter(self) -> None:
        """No wait is shorter than the first or longer than the longest, whatever the jitter."""
        for jitter in (0.0, 0.3, 1.0):
            self.setUp()
            self.jitter = jitter
            waits = self.delays(ErrorKind.CONNECTION, 40)
            self.assertTrue(all(wait is not None and 0.5 <= wait <= 30 for wait in waits))

    def test_wrong_credentials(self) -> None:
        """An account is tried after five minutes, then ever more slowly, up to an hour."""
        waits = self.delays(ErrorKind.AUTHENTICATION, 6)
        self.assertEqual(waits, [300.0, 600.0, 1200.0, 2400.0, 3600.0, 3600.0])

    def test_wrong_credentials_after_playing(self) -> None:
        """An account that a playing camera begins to refuse is not tried at once either."""
        self.assertEqual(self.backoff.next_delay(ErrorKind.AUTHENTICATION, True), 300.0)

    def test_refused(self) -> None:
        """What a camera refuses is asked for again after a minute, then more slowly."""
        waits = self.delays(ErrorKind.REFUSED, 6)
        self.assertEqual(waits, [60.0, 120.0, 240.0, 480.0, 600.0, 600.0])

    def test_busy(self) -> None:
        """A camera without a free session is asked seldom."""
        waits = self.delays(ErrorKind.BUSY, 5)
        self.assertEqual(waits, [5.0, 10.0, 20.0, 40.0, 60.0])

    def test_another_schedule_begins_anew(self) -> None:
        """Many quick failures do not lengthen the first wait of another schedule."""
        self.delays(ErrorKind.CONNECTION, 10)
        self.assertEqual(self.backoff.next_delay(ErrorKind.REFUSED), 60.0)

    def test_configuration(self) -> None:
        """What cannot work as configured is not tried again."""
        self.assertIsNone(self.backoff.next_delay(ErrorKind.CONFIGURATION))
