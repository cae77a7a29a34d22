"""Signs of life: which methods, in what order, and when. Numbers are those of the quirk list."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.keepalive import KeepAlive


def keep_alive(
    public: str = "OPTIONS GET_PARAMETER SET_PARAMETER",
    *,
    options_work: bool = True,
    server: str = "",
    timeout_seconds: float = 60,
    jitter: float = 0.0,
    quiet: bool = False,
) -> KeepAlive:
    return KeepAlive(
        frozenset(public.split()),
        options_work=options_work,
        server=server,
        timeout_seconds=timeout_seconds,
        jitter=lambda: jitter,
        quiet=quiet,
    )


def run(subject: KeepAlive, **statuses: int) -> list[str]:
    """Go through one round: what was sent, in order, each answered with its status or 200."""
    sent: list[str] = []
    method = subject.begin()
    while method is not None:
        sent.append(method)
        assert len(sent) < 10
        method = subject.answered(method, statuses.get(method, 200), 100.0)
    return sent


class RoundTests(SynchronousTestCase):
    def test_by_what_is_listed(self) -> None:
        """What a round consists of, by what the server lists and says."""
        for public, options_work, server, expected in (
            ("OPTIONS GET_PARAMETER SET_PARAMETER", True, "", ["GET_PARAMETER", "OPTIONS"]),
            ("OPTIONS GET_PARAMETER", True, "", ["GET_PARAMETER", "OPTIONS"]),
            ("OPTIONS SET_PARAMETER", True, "HIPCAM", ["OPTIONS"]),  # quirk 2: needs OPTIONS
            ("OPTIONS PLAY", True, "EvoStream Media Server", ["GET_PARAMETER", "OPTIONS"]),
            ("", True, "", ["OPTIONS"]),
            ("", False, "", ["GET_PARAMETER"]),
        ):
            subject = keep_alive(public, options_work=options_work, server=server)
            self.assertEqual(run(subject), expected, public)

    def test_never_one_method_only(self) -> None:
        """A server that ignores GET_PARAMETER gets OPTIONS too (quirk 1: GW Security GW4089IP)."""
        subject = keep_alive("OPTIONS GET_PARAMETER")
        for _ in range(3):
            self.assertEqual(run(subject), ["GET_PARAMETER", "OPTIONS"])

    def test_refused_method_is_left_out(self) -> None:
        """GET_PARAMETER answered 454 is not asked again while OPTIONS works (quirk 2)."""
        subject = keep_alive()
        self.assertEqual(run(subject, GET_PARAMETER=454), ["GET_PARAMETER", "OPTIONS"])
        self.assertFalse(subject.session_lost)
        self.assertEqual(run(subject), ["OPTIONS"])

    def test_last_resort(self) -> None:
        """SET_PARAMETER is sent only when listed and all else is refused (quirk 2)."""
        subject = keep_alive()
        sent = run(subject, GET_PARAMETER=501, OPTIONS=500)
        self.assertEqual(sent, ["GET_PARAMETER", "OPTIONS", "SET_PARAMETER"])
        subject = keep_alive("OPTIONS PLAY")
        self.assertEqual(run(subject, OPTIONS=501), ["OPTIONS", "GET_PARAMETER"])

    def test_everything_refused(self) -> None:
        """With everything refused the next round begins anew: nothing is given up."""
        subject = keep_alive()
        refused = {"GET_PARAMETER": 500, "OPTIONS": 500, "SET_PARAMETER": 500}
        first = run(subject, **refused)
        self.assertEqual(run(subject, **refused), first)
        self.assertEqual(len(first), 3)
        self.assertEqual(run(subject), first)
        self.assertEqual(run(subject), ["GET_PARAMETER", "OPTIONS"])

    def test_no_answer_is_no_refusal(self) -> None:
        """A camera that never answers is asked on, and nothing else happens (quirk 4)."""
        subject = keep_alive()
        for _ in range(5):
            sent = run(subject, GET_PARAMETER=0, OPTIONS=0)
            self.assertEqual(sent, ["GET_PARAMETER", "OPTIONS"])
            self.assertFalse(subject.session_lost)

    def test_session_lost(self) -> None:
        """Only 454 to every method means that the session is gone."""
        for statuses, expected in (
            ({"GET_PARAMETER": 454, "OPTIONS": 454, "SET_PARAMETER": 454}, True),
            ({"GET_PARAMETER": 454, "OPTIONS": 454, "SET_PARAMETER": 500}, False),
            ({"GET_PARAMETER": 454, "OPTIONS": 0}, False),
            ({"GET_PARAMETER": 454}, False),
        ):
            subject = keep_alive()
            run(subject, **statuses)
            self.assertEqual(subject.session_lost, expected, statuses)

    def test_wrong_credentials(self) -> None:
        """When credentials are refused nothing more is asked: cameras lock out who guesses."""
        subject = keep_alive()
        self.assertEqual(subject.begin(), "GET_PARAMETER")
        self.assertIsNone(subject.answered("GET_PARAMETER", 401, 0.0, forbidden=True))
        self.assertIsNone(subject.next_at)
        self.assertIsNone(subject.begin())


class TimeTests(SynchronousTestCase):
    def test_half_the_timeout(self) -> None:
        """A round begins at half the timeout, within sane bounds."""
        for timeout, expected in ((60, 30.0), (10, 5.0), (1, 1.0), (600, 30.0)):
            subject = keep_alive(timeout_seconds=timeout)
            subject.schedule(1000.0)
            self.assertEqual(subject.next_at, 1000.0 + expected)

    def test_a_session_that_is_quiet(self) -> None:
        """Where events are all that comes, the camera is asked often whether it lives."""
        for timeout, expected in ((60, 10.0), (10, 5.0), (1, 1.0)):
            subject = keep_alive(timeout_seconds=timeout, quiet=True)
            subject.schedule(1000.0)
            self.assertEqual(subject.next_at, 1000.0 + expected)

    def test_jitter(self) -> None:
        """Jitter makes it earlier, never later, and by a fifth at most."""
        for jitter, expected in ((0.0, 30.0), (0.5, 27.0), (1.0, 24.0)):
            subject = keep_alive(jitter=jitter)
            subject.schedule(0.0)
            self.assertAlmostEqual(subject.next_at or 0, expected)

    def test_planned_after_the_round(self) -> None:
        """While a round runs nothing is planned; its end plans the next."""
        subject = keep_alive("OPTIONS")
        subject.schedule(0.0)
        self.assertEqual(subject.begin(), "OPTIONS")
        self.assertIsNone(subject.next_at)
        self.assertIsNone(subject.answered("OPTIONS", 200, 31.0))
        self.assertEqual(subject.next_at, 61.0)
