"""Where a recording that looks back begins, and that nothing is missing or twice at its seam."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.buffer import GopBuffer
from axis_nvr.media.units import AccessUnit
from tests.media.test_buffer import OUTAGE, START_US, Listener, feed, pictures, starts, video


def at(seconds: float) -> int:
    """So many seconds after the start, as UTC."""
    return START_US + round(seconds * 1e6)


def recorded(buffer: GopBuffer, since_us: int | None, rest: list[AccessUnit]) -> list[AccessUnit]:
    """What a recording gets that begins now and ends after what comes."""
    listener = Listener()
    before = buffer.since(since_us)
    buffer.subscribe(listener, units=False)
    feed(buffer, rest)
    buffer.flush()
    return [unit for gop in [*before, *listener.gops] for unit in gop.units]


class SeamTests(SynchronousTestCase):
    def test_each_frame_once(self) -> None:
        """From the key frame at or before the time asked for, to the last one: each frame once."""
        units = pictures(9.5)
        for cut in range(61, 80):
            buffer = GopBuffer(4)
            feed(buffer, units[:cut])
            self.assertEqual(recorded(buffer, at(3.4), units[cut:]), units[30:], cut)

    def test_at_the_key_frame(self) -> None:
        """A time that is a key frame's own begins with it; one before it, with the one before."""
        buffer = GopBuffer(8)
        feed(buffer, pictures(8.5))
        self.assertEqual(starts(buffer.since(at(3))), [3.0, 4.0, 5.0, 6.0, 7.0])
        self.assertEqual(starts(buffer.since(at(2.999999)))[0], 2.0)

    def test_within_the_open_group(self) -> None:
        """What happened in the open group needs none of the closed ones."""
        units = pictures(6)
        buffer = GopBuffer(4)
        feed(buffer, units[:45])
        self.assertEqual(buffer.since(at(4.2)), [])
        self.assertEqual(buffer.open_us, at(4))
        self.assertEqual(recorded(buffer, at(4.2), units[45:]), units[40:])

    def test_further_back_than_it_reaches(self) -> None:
        """The oldest there is, then; nothing, if nothing is held."""
        buffer = GopBuffer(2)
        feed(buffer, pictures(8.5))
        self.assertEqual(starts(buffer.since(at(0))), [6.0, 7.0])
        self.assertEqual(GopBuffer(2).since(at(0)), [])
        self.assertIsNone(GopBuffer(2).open_us)

    def test_parts_of_a_long_group(self) -> None:
        """A group in parts is needed from its key frame on, even for what its open part holds."""
        units = pictures(48, gop_seconds=25)
        buffer = GopBuffer(2)
        feed(buffer, units[:465])
        for since in (30, 44, 46.4, 50):
            self.assertEqual(starts(buffer.since(at(since))), [25.0, 35.0], since)
        self.assertEqual(recorded(buffer, at(46.4), units[465:]), units[250:])

    def test_another_recording_ended_here(self) -> None:
        """A group that was handed on early is taken with its beginning, or all of it."""
        units = pictures(6)
        for cut in (43, 44):
            buffer = GopBuffer(2)
            feed(buffer, units[:43])
            buffer.flush()
            feed(buffer, units[43:cut])
            self.assertEqual(starts(buffer.since(None)), [4.0])
            self.assertEqual(recorded(buffer, at(4.5), units[cut:]), units[40:], cut)
            buffer.push(video(6, sync=True))
            self.assertEqual(len(buffer.since(None)), 0, "another group has begun")

    def test_a_key_frame_soon_after_another_recording_ended(self) -> None:
        """It begins a group, however young the part is that it ends."""
        buffer = GopBuffer(2)
        feed(buffer, pictures(0.9))
        buffer.flush()
        feed(buffer, [video(0.9), *pictures(1.5, start=1)])
        self.assertEqual(starts(buffer.since(at(1.5))), [1.0])

    def test_the_last_picture_before_another_recording_ended(self) -> None:
        """A group that was handed on early holds the time of its last picture too."""
        units = pictures(6)
        buffer = GopBuffer(4)
        feed(buffer, units[:40])
        buffer.flush()
        feed(buffer, units[40:59])
        self.assertEqual(recorded(buffer, at(3.9), units[59:]), units[30:])

    def test_what_was_before_an_outage(self) -> None:
        """Pictures from long ago do not count as those just before."""
        buffer = GopBuffer(2)
        feed(buffer, pictures(4.5))
        buffer.interrupt(OUTAGE)
        self.assertEqual(buffer.since(at(60)), [])
        feed(buffer, pictures(1.5, start=62))
        self.assertEqual(starts(buffer.since(at(61))), [62.0])
        self.assertEqual(starts(buffer.since(at(4))), [4.0, 62.0])

    def test_a_time_that_is_changed(self) -> None:
        """A buffer that is to reach further back does so as it fills; a shorter one lets go."""
        buffer = GopBuffer(1)
        feed(buffer, pictures(4.5))
        buffer.pre_event_seconds = 5
        feed(buffer, pictures(4, start=4.5 + 0.5))
        self.assertEqual(starts(buffer.buffered())[0], 3.0)
        buffer.pre_event_seconds = 0
        feed(buffer, [video(9, sync=True)])
        self.assertEqual(starts(buffer.buffered()), [7.0, 8.0])

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.integers(3, 130), min_size=1, max_size=6),
        st.lists(st.integers(0, 300), max_size=3),
        st.integers(0, 300),
        st.integers(0, 300),
    )
    def test_whatever_the_groups(
        self, lengths: list[int], flushes: list[int], now: int, since: int
    ) -> None:
        """Groups of any length, handed on at any moment: each frame once from a key frame on."""
        keys = {sum(lengths[:n]) for n in range(len(lengths))}
        units = [video(n / 10, sync=n in keys) for n in range(sum(lengths))]
        now, since = min(now, len(units)), min(since, now)
        buffer = GopBuffer(1000)
        for number, unit in enumerate(units[:now]):
            buffer.push(unit)
            if number in flushes:
                buffer.flush()
        begin = max((key for key in keys if key <= since and key < now), default=0)
        self.assertEqual(recorded(buffer, at(since / 10), units[now:]), units[begin:])
