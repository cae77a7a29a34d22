"""What a PLAY wants, read from its headers."""

from fractions import Fraction

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.replay.order import (
    Extent,
    Frames,
    Order,
    range_value,
    read_order,
    reply_headers,
)
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.wire.rtsp import Headers
from axis_nvr.wire.rtsp_range import parse_range

#: 2024-05-06T07:08:09Z to 2024-05-06T08:08:09Z
START_US = 1_714_979_289_000_000
HOUR_US = 3_600_000_000
FINISHED = Extent(START_US, START_US + HOUR_US)
RUNNING = Extent(START_US, None)


def order(
    range_: str = "", extent: Extent = FINISHED, *, pull: bool = False, **headers: str
) -> Order:
    given = Headers([(name.replace("_", "-"), value) for name, value in headers.items()])
    asked = parse_range(range_) if range_ else None
    return read_order(given, asked, extent, pull=pull, unit="npt")


class HeaderTests(SynchronousTestCase):
    def refused(self, status: int, range_: str = "", **more: str) -> None:
        refusal = self.assertRaises(RequestRefused, order, range_, **more)
        self.assertEqual(refusal.status, status)

    def test_nothing_said(self) -> None:
        """All of it, forward, in time, every picture."""
        self.assertEqual(order(), Order(unit="npt"))

    def test_rate_control(self) -> None:
        """``no`` lets the client set the pace, and so does ``pull=1`` where nothing is said."""
        self.assertFalse(order(Rate_Control="no").is_paced)
        self.assertFalse(order(pull=True).is_paced)
        self.assertTrue(order(pull=True, Rate_Control="yes").is_paced)
        self.refused(400, Rate_Control="perhaps")

    def test_datagrams_are_always_in_time(self) -> None:
        """Where a client that does not keep up cannot be noticed it is not flooded."""
        headers = Headers([("Rate-Control", "no")])
        read = read_order(headers, None, FINISHED, pull=True, may_flood=False)
        self.assertTrue(read.is_paced)

    def test_scale(self) -> None:
        """Any factor within reason; beyond, the nearest; out of time only the direction counts."""
        for text, paced, free in (
            ("1", 1, 1),
            ("2.5", Fraction(5, 2), 1),
            ("-1.0", -1, -1),
            ("-0.5", Fraction(-1, 2), -1),
            (".25", Fraction(1, 4), 1),
            ("1000", 64, 1),
            ("-0.001", Fraction(-1, 32), -1),
        ):
            self.assertEqual(order(Scale=text).scale, paced, text)
            self.assertEqual(order(Scale=text, Rate_Control="no").scale, free, text)
        for text in ("0", "fast", "1.0.0", "-", "1e3", "--1"):
            self.refused(400, Scale=text)

    def test_speed(self) -> None:
        """Delivery may be faster than the time that is played; never backwards."""
        self.assertEqual(order(Speed="2.0", Scale="2").rate, 4)
        self.refused(400, Speed="-1")

    def test_frames(self) -> None:
        """The four forms, and nothing else."""
        for text, frames, interval_us in (
            ("all", Frames.ALL, 0),
            ("predicted", Frames.PREDICTED, 0),
            ("Intra", Frames.INTRA, 0),
            ("intra/4000", Frames.INTRA, 4_000_000),
            ("intra/999999999", Frames.INTRA, 86_400_000_000),
        ):
            read = order(Frames=text, Rate_Control="no")
            self.assertEqual((read.frames, read.interval_us), (frames, interval_us))
        for text in ("all/4000", "intra/", "intra/-1", "intra/x", "some"):
            self.refused(400, Frames=text)

    def test_fast_is_key_frames_only(self) -> None:
        """Above four times only key frames go out, at most 25 a second; the reply says so."""
        self.assertEqual(order(Scale="4").frames, Frames.ALL)
        fast = order(Scale="-8", Frames="predicted")
        self.assertEqual((fast.frames, fast.interval_us), (Frames.INTRA, 320_000))
        self.assertEqual(
            reply_headers(fast, Headers([("Scale", "-8")])),
            [("Scale", "-8.0"), ("Frames", "intra/320")],
        )
        self.assertEqual(order(Scale="2", Speed="4").frames, Frames.INTRA)

    def test_sound(self) -> None:
        """Sound comes at its own tempo or not at all."""
        self.assertTrue(order().has_sound)
        self.assertTrue(order(Speed="2").has_sound)
        self.assertTrue(order(Rate_Control="no").has_sound)
        self.assertFalse(order(Scale="2").has_sound)
        self.assertFalse(order(Scale="-1", Rate_Control="no").has_sound)


class RangeTests(SynchronousTestCase):
    def test_from_where_to_where(self) -> None:
        """Seconds and smpte count from the beginning, clock is UTC."""
        minute = 60_000_000
        for text, start, end in (
            ("npt=60-", minute, None),
            ("npt=60-120", minute, 2 * minute),
            ("npt=0-", 0, None),
            ("clock=20240506T070909Z-", minute, None),
            ("clock=20240506T070909Z-20240506T071009Z", minute, 2 * minute),
            ("smpte-25=00:01:00-", minute, None),
        ):
            read = order(text)
            self.assertEqual(read.start_us, START_US + start, text)
            self.assertEqual(read.end_us, None if end is None else START_US + end, text)
        open_begin = order("clock=-20240506T070909Z")
        self.assertEqual((open_begin.start_us, open_begin.end_us), (None, START_US + minute))
        self.assertTrue(order("npt=now-").is_newest)

    def test_seconds_since_1900(self) -> None:
        """GStreamer asks for these as npt when it was told of UTC."""
        read = order("npt=3923968149.0-3923968209.0")
        self.assertEqual(read.start_us, START_US + 60_000_000)
        self.assertEqual(read.end_us, START_US + 120_000_000)
        self.assertEqual(read.unit, "clock")

    def test_backwards(self) -> None:
        """A closed range runs the way the scale does."""
        read = order("npt=120-60", Scale="-1")
        self.assertEqual(read.start_us, START_US + 120_000_000)
        self.assertEqual(read.end_us, START_US + 60_000_000)
        for text, scale in (("npt=120-60", "1"), ("npt=60-120", "-1")):
            refusal = self.assertRaises(RequestRefused, order, text, Scale=scale)
            self.assertEqual(refusal.status, 457)

    def test_outside_of_all(self) -> None:
        """Nothing will ever be there: 457; a running recording may get there."""
        for text, scale in (
            ("npt=3601-", "1"),
            ("clock=20200101T000000Z-20200102T000000Z", "1"),
            ("clock=20200101T000000Z-", "-1"),
            ("npt=7200-3601", "-1"),
        ):
            refusal = self.assertRaises(RequestRefused, order, text, Scale=scale)
            self.assertEqual(refusal.status, 457, text)
        self.assertIsNotNone(order("npt=3601-", RUNNING).start_us)
        self.assertIsNotNone(order("clock=20200101T000000Z-").start_us)
        self.assertIsNotNone(order("npt=3601-", Scale="-1").start_us)


class ReplyTests(SynchronousTestCase):
    def test_range(self) -> None:
        """The first that is really sent, and the end, in the client's units."""
        for text, scale, extent, wanted in (
            ("npt=61-", "1", FINISHED, "npt=60.000-3600.000"),
            ("npt=61-90", "1", FINISHED, "npt=60.000-90.000"),
            ("npt=61-", "1", RUNNING, "npt=60.000-"),
            ("clock=20240506T070910Z-", "1", RUNNING, "clock=20240506T070909Z-"),
            ("clock=20240506T070910Z-", "-1", FINISHED, "clock=20240506T070909Z-20240506T070809Z"),
        ):
            read = order(text, extent, Scale=scale)
            self.assertEqual(range_value(read, extent, START_US + 60_000_000), wanted)

    def test_what_was_asked_is_answered(self) -> None:
        """With what is in effect; what is as usual is not mentioned."""
        self.assertEqual(reply_headers(Order(), Headers()), [])
        asked = Headers([("Scale", "200"), ("Speed", "1"), ("Rate-Control", "no"), ("Frames", "x")])
        read = order(Scale="200", Rate_Control="no", Frames="intra/4000")
        self.assertEqual(
            reply_headers(read, asked),
            [
                ("Scale", "1.0"),
                ("Speed", "1.0"),
                ("Rate-Control", "no"),
                ("Frames", "intra/4000"),
            ],
        )
