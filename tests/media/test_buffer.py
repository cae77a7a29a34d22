"""The GOP buffer: what closes a group, what is kept, what happens at the limits, who is told."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from axis_nvr.media.budget import ByteBudget
from axis_nvr.media.buffer import GopBuffer, IGopConsumer
from axis_nvr.media.gop import MAX_GOP_BYTES, MAX_GOP_GAPS, MAX_GOP_US, Gop
from axis_nvr.media.units import (
    AccessUnit,
    AudioFormat,
    Codec,
    Format,
    Gap,
    GapReason,
    VideoFormat,
)

VIDEO = VideoFormat(Codec.H264, b"avcC", 640, 360)
WIDER = VideoFormat(Codec.H264, b"avcC", 1280, 720)
SOUND = AudioFormat(Codec.AAC, b"\x11\x90", 48_000, 2)
START_US = 1_700_000_000_000_000
OUTAGE = Gap(START_US, START_US, GapReason.DISCONNECTED)


def video(
    at: float,
    *,
    sync: bool = False,
    size: int = 100,
    format: Format = VIDEO,  # noqa: A002 - the unit's own word
    gap: Gap | None = None,
) -> AccessUnit:
    """A picture, so many seconds after the start."""
    utc_us = START_US + round(at * 1e6)
    return AccessUnit(0, utc_us, round(at * 90_000), sync, bytes(size), format, gap)


def sound(at: float, size: int = 10) -> AccessUnit:
    return AccessUnit(1, START_US + round(at * 1e6), round(at * 48_000), True, bytes(size), SOUND)


def pictures(
    seconds: float, *, gop_seconds: float = 1.0, size: int = 100, start: float = 0.0
) -> list[AccessUnit]:
    """Ten pictures a second, a sync unit every so often."""
    each = round(gop_seconds * 10)
    return [
        video(start + n / 10, sync=n % each == 0, size=size) for n in range(round(seconds * 10))
    ]


@implementer(IGopConsumer)
class Listener:
    """Keeps what it is told; raises when asked to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.units: list[AccessUnit] = []
        self.gops: list[Gop] = []
        self.log: list[str] = []
        self.error = error

    def unit_received(self, unit: AccessUnit) -> None:
        self.units.append(unit)
        self.log.append("unit")
        if self.error:
            raise self.error

    def gop_closed(self, gop: Gop) -> None:
        self.gops.append(gop)
        self.log.append("gop")
        if self.error:
            raise self.error

    def interrupted(self, gap: Gap) -> None:
        self.log.append(f"interrupted: {gap.reason}")


def feed(buffer: GopBuffer, units: Iterable[AccessUnit]) -> None:
    for unit in units:
        buffer.push(unit)


def starts(gops: Iterable[Gop]) -> list[float]:
    return [(gop.start_us - START_US) / 1e6 for gop in gops]


class GroupingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.buffer = GopBuffer(0)
        self.listener = Listener()
        self.buffer.subscribe(self.listener)

    def test_a_sync_picture_closes_the_group_before_it(self) -> None:
        """A group is closed when the next sync picture comes, and ends where that begins."""
        feed(self.buffer, pictures(2.1))
        self.assertEqual(starts(self.listener.gops), [0.0, 1.0])
        first = self.listener.gops[0]
        self.assertEqual(first.end_us, START_US + 1_000_000)
        self.assertEqual((len(first.units), first.size_bytes), (10, 1000))
        self.assertTrue(first.complete and first.starts_at_sync)
        self.assertEqual(first.duration_seconds, 1.0)

    def test_the_group_is_closed_before_its_follower_is_told(self) -> None:
        """A consumer sees the closed group first, then the picture that closed it."""
        feed(self.buffer, pictures(1.1))
        self.assertEqual(self.listener.log[-3:], ["unit", "gop", "unit"])

    def test_all_tracks_share_a_group_in_order_of_arrival(self) -> None:
        """Sound between two sync pictures is in the group of the first."""
        units = [video(0, sync=True), sound(0.01), video(0.5), sound(0.6), video(1, sync=True)]
        feed(self.buffer, units)
        self.assertEqual(self.listener.gops[0].units, units[:4])

    def test_units_are_not_copied(self) -> None:
        """The units in a group are the very ones that came."""
        units = pictures(1.1)
        feed(self.buffer, units)
        for given_unit, kept in zip(units, self.listener.gops[0].units, strict=False):
            self.assertIs(given_unit, kept)

    def test_pictures_before_the_first_sync_unit_are_skipped(self) -> None:
        """What no decoder can begin with is not kept and not told, but counted."""
        feed(self.buffer, [video(0), video(0.1), video(0.2, sync=True)])
        self.assertEqual(self.listener.units, [video(0.2, sync=True)])
        self.assertEqual(self.buffer.status.skipped_units, 2)

    def test_sound_just_before_the_first_picture_is_in_its_group(self) -> None:
        """A stream whose sound comes a moment earlier begins with one group, not with two."""
        feed(self.buffer, [sound(0), sound(0.1), *pictures(1.1, start=0.2)])
        self.assertEqual(starts(self.listener.gops), [0.0])
        first = self.listener.gops[0]
        self.assertEqual([unit.track for unit in first.units[:3]], [1, 1, 0])
        self.assertTrue(first.starts_at_sync)
        self.assertEqual(len(first.units), 12)

    def test_sound_long_before_the_first_picture_is_not(self) -> None:
        """What was sound only for 2 s is a group of its own."""
        feed(self.buffer, [sound(0), video(1.9), *pictures(1.1, start=2.1)])
        self.assertEqual(starts(self.listener.gops), [0.0, 2.1])

    def test_a_stream_without_video_is_cut_every_two_seconds(self) -> None:
        """Sound alone makes a group each 2 s."""
        feed(self.buffer, [sound(n / 10) for n in range(50)])
        self.assertEqual(starts(self.listener.gops), [0.0, 2.0])
        self.assertEqual(len(self.listener.gops[0].units), 20)

    def test_sync_pictures_in_a_row_share_a_group(self) -> None:
        """A stream of sync pictures only (JPEG) makes a group each 250 ms, not one a picture."""
        feed(self.buffer, [video(n / 20, sync=True) for n in range(16)])
        self.assertEqual(starts(self.listener.gops), [0.0, 0.25, 0.5])

    def test_a_new_format_begins_a_group(self) -> None:
        """A change of parameter sets closes the group however young it is."""
        feed(self.buffer, [video(0, sync=True), video(0.1, sync=True, format=WIDER), video(0.2)])
        self.assertEqual(starts(self.listener.gops), [0.0])
        self.assertEqual(len(self.buffer.open_units()), 2)

    def test_a_long_group_goes_out_in_parts(self) -> None:
        """After 10 s without a sync picture a part goes out; the parts after it say they follow."""
        feed(self.buffer, pictures(26, gop_seconds=25))
        self.assertEqual(starts(self.listener.gops), [0.0, 10.0, 20.0])
        self.assertEqual([g.starts_at_sync for g in self.listener.gops], [True, False, False])
        self.assertTrue(all(gop.complete for gop in self.listener.gops))

    def test_a_large_group_goes_out_in_parts(self) -> None:
        """No part holds more than 8 MiB."""
        feed(self.buffer, pictures(10, gop_seconds=9, size=MAX_GOP_BYTES // 4))
        sizes = [gop.size_bytes for gop in self.listener.gops]
        self.assertEqual(max(sizes), MAX_GOP_BYTES)
        self.assertFalse(self.listener.gops[1].starts_at_sync)

    def test_time_that_jumps_back_begins_a_part(self) -> None:
        """A clock set back by more than a part's length does not fold into one cluster."""
        feed(self.buffer, [video(100, sync=True), video(100.1), video(80), video(80.1)])
        self.assertEqual(len(self.listener.gops), 1)
        self.assertEqual(len(self.buffer.open_units()), 2)

    def test_an_interruption_closes_the_open_group(self) -> None:
        """What came before a lost connection is told as cut short, then the interruption is."""
        feed(self.buffer, pictures(0.3))
        self.buffer.interrupt(OUTAGE)
        self.assertEqual(self.listener.log[-2:], ["gop", "interrupted: disconnected"])
        gop = self.listener.gops[0]
        self.assertFalse(gop.complete)
        self.assertEqual(gop.end_us, START_US + 200_000)
        self.buffer.push(video(5))
        self.assertEqual(self.buffer.status.skipped_units, 1, "waits for a sync picture again")

    def test_an_interruption_with_nothing_open_is_told_alone(self) -> None:
        """No empty group is made."""
        self.buffer.interrupt(OUTAGE)
        self.assertEqual(self.listener.log, ["interrupted: disconnected"])

    def test_what_is_open_can_be_handed_on(self) -> None:
        """After a flush nothing is open, and the rest of the group follows as a part."""
        feed(self.buffer, pictures(1.3))
        self.buffer.flush()
        self.buffer.flush()
        self.assertEqual(self.buffer.open_units(), [])
        feed(self.buffer, [video(1.3), video(1.4), video(2, sync=True)])
        self.assertEqual(starts(self.listener.gops), [0.0, 1.0, 1.3])
        self.assertEqual([gop.complete for gop in self.listener.gops], [True, False, True])
        self.assertEqual([g.starts_at_sync for g in self.listener.gops], [True, True, False])
        self.assertNotIn("interrupted", str(self.listener.log))

    def test_gaps_of_units_are_the_groups(self) -> None:
        """A unit's gap is listed in the group that holds the unit."""
        gap = Gap(START_US, START_US + 100_000, GapReason.PACKETS_LOST, 3)
        units = pictures(2.1)
        units[10] = units[10]._replace(gap=gap)
        feed(self.buffer, units)
        self.assertEqual([gop.gaps for gop in self.listener.gops], [[], [gap]])

    def test_many_gaps_are_bounded(self) -> None:
        """Past a bound gaps are told as one, and no lost packet goes uncounted."""
        gap = Gap(START_US, START_US, GapReason.PACKETS_LOST, 1)
        feed(self.buffer, [video(0, sync=True, gap=gap)] + [video(0.1, gap=gap)] * 200)
        self.buffer.push(video(1, sync=True))
        gaps = self.listener.gops[0].gaps
        self.assertEqual(len(gaps), MAX_GOP_GAPS)
        self.assertEqual(sum(gap.lost_packets for gap in gaps), 201)

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 2),
                st.booleans(),
                st.integers(-20_000_000, 20_000_000),
                st.integers(0, MAX_GOP_BYTES // 2),
            ),
            max_size=60,
        )
    )
    def test_whatever_comes(self, steps: list[tuple[int, bool, int, int]]) -> None:
        """Nothing is lost or doubled or reordered, and each part keeps its bounds."""
        buffer, listener = GopBuffer(5, 3 * MAX_GOP_BYTES), Listener()
        buffer.subscribe(listener)
        utc_us = START_US
        for track, sync, step_us, size in steps:
            utc_us += step_us
            format_ = SOUND if track == 1 else VIDEO
            buffer.push(AccessUnit(track, utc_us, 0, sync or track == 1, bytes(size), format_))
        told = [unit for gop in listener.gops for unit in gop.units] + buffer.open_units()
        self.assertEqual(listener.units, told)
        for gop in listener.gops:
            times = [unit.utc_us - gop.start_us for unit in gop.units]
            self.assertTrue(all(-MAX_GOP_US <= time < MAX_GOP_US for time in times))
            self.assertEqual(gop.size_bytes, sum(len(unit.data) for unit in gop.units))
            if len(gop.units) > 1:
                self.assertLessEqual(gop.size_bytes, MAX_GOP_BYTES)
        self.assertLessEqual(buffer.status.held_bytes, 3 * MAX_GOP_BYTES)
        self.assertTrue(not buffer.buffered() or buffer.buffered()[0].starts_at_sync)


class KeepingTests(SynchronousTestCase):
    def test_two_whole_groups_are_kept_at_least(self) -> None:
        """However short the pre-event time, the two newest whole groups are there."""
        buffer = GopBuffer(0.5)
        feed(buffer, pictures(20.1, gop_seconds=5))
        self.assertEqual(starts(buffer.buffered()), [10.0, 15.0])

    def test_the_pre_event_time_is_kept(self) -> None:
        """As many groups as it takes to reach back the pre-event time, and no more."""
        buffer = GopBuffer(5)
        feed(buffer, pictures(20.1))
        self.assertEqual(starts(buffer.buffered()), [15.0, 16.0, 17.0, 18.0, 19.0])
        self.assertEqual(buffer.status.held_seconds, 5.0)

    def test_without_a_pre_buffer_only_the_open_group_is_held(self) -> None:
        """A stream that nobody wants to look back in costs no memory for it."""
        buffer = GopBuffer(None)
        feed(buffer, pictures(3.5))
        self.assertEqual(buffer.buffered(), [])
        self.assertEqual(len(buffer.open_units()), 5)

    def test_parts_come_and_go_with_their_first(self) -> None:
        """A group in parts is kept or forgotten whole; it counts as one of the two."""
        buffer = GopBuffer(0)
        feed(buffer, pictures(75.1, gop_seconds=25))
        self.assertEqual(starts(buffer.buffered()), [25.0, 35.0, 45.0, 50.0, 60.0, 70.0])
        self.assertEqual(buffer.status.held_gops, 2)

    def test_the_streams_limit_lets_the_oldest_go(self) -> None:
        """At its limit a buffer forgets its oldest whole groups, and counts them."""
        buffer = GopBuffer(10, limit_bytes=3_500)
        feed(buffer, pictures(5.1))
        self.assertEqual(starts(buffer.buffered()), [2.0, 3.0, 4.0])
        status = buffer.status
        self.assertEqual((status.held_bytes, status.dropped_at_stream_limit), (3_000, 2))

    def test_a_group_larger_than_the_limit_is_still_handed_on(self) -> None:
        """The limit is about keeping: consumers get every group; the pre-buffer is empty then."""
        buffer, listener = GopBuffer(10, limit_bytes=50), Listener()
        buffer.subscribe(listener)
        feed(buffer, pictures(2.1))
        self.assertEqual(buffer.buffered(), [])
        self.assertEqual(len(listener.gops), 2)
        self.assertEqual(buffer.status.dropped_at_stream_limit, 2)

    def test_a_follower_is_not_kept_without_its_first(self) -> None:
        """When a group's first part had to go, the parts after it are of no use either."""
        buffer = GopBuffer(100, limit_bytes=15_000)
        feed(buffer, pictures(40, gop_seconds=35))
        self.assertEqual(buffer.buffered(), [])

    def test_the_total_limit_lets_the_oldest_of_all_go(self) -> None:
        """One budget for all buffers: the group that arrived first goes first, whoever holds it."""
        budget = ByteBudget(3_500)
        one, two = GopBuffer(60, budget=budget), GopBuffer(60, budget=budget)
        feed(one, pictures(2.1))
        feed(two, pictures(2.1))
        self.assertEqual((starts(one.buffered()), starts(two.buffered())), ([1.0], [0.0, 1.0]))
        self.assertEqual(budget.used_bytes, 3_000)
        self.assertEqual(budget.dropped_gops, 1)
        self.assertEqual(one.status.dropped_at_total_limit, 1)
        self.assertEqual(two.status.dropped_at_total_limit, 0)

    def test_cleared_buffers_give_their_bytes_back(self) -> None:
        """A stream that ends frees its share of the budget."""
        budget = ByteBudget()
        buffer = GopBuffer(60, budget=budget)
        feed(buffer, pictures(9.5))
        self.assertEqual(budget.used_bytes, 9_000)
        buffer.clear()
        self.assertEqual((budget.used_bytes, buffer.status.held_bytes), (0, 0))


class ConsumerTests(SynchronousTestCase):
    def test_any_number_of_consumers_get_the_same(self) -> None:
        """Each consumer gets every unit and group from its subscription on."""
        buffer, early, late = GopBuffer(0), Listener(), Listener()
        buffer.subscribe(early)
        feed(buffer, pictures(1.5))
        buffer.subscribe(late)
        feed(buffer, pictures(1.1, start=2))
        self.assertEqual(starts(early.gops), [0.0, 1.0, 2.0])
        self.assertEqual(starts(late.gops), [1.0, 2.0])
        self.assertIs(early.gops[1], late.gops[0])

    def test_groups_only(self) -> None:
        """A consumer of whole groups is not called for each unit."""
        buffer, listener = GopBuffer(0), Listener()
        buffer.subscribe(listener, units=False)
        feed(buffer, pictures(2.1))
        self.assertEqual(listener.log, ["gop", "gop"])

    def test_one_that_raises_is_dropped_and_reported(self) -> None:
        """A consumer's error ends its subscription, and nobody else's."""
        told: list[tuple[IGopConsumer, Exception]] = []
        buffer = GopBuffer(0, consumer_failed=lambda *args: told.append(args))
        bad, good = Listener(ValueError("no")), Listener()
        buffer.subscribe(bad)
        buffer.subscribe(good)
        feed(buffer, pictures(2.1))
        self.assertEqual(len(bad.units), 1)
        self.assertEqual((len(good.units), len(good.gops)), (21, 2))
        self.assertEqual(told, [(bad, bad.error)])
        self.assertEqual(buffer.status.failed_consumers, 1)
        self.assertEqual(buffer.consumers, (good,))

    def test_one_that_raises_on_a_group_is_dropped_too(self) -> None:
        """The same for a consumer of groups."""
        buffer, bad = GopBuffer(0), Listener(ValueError("no"))
        buffer.subscribe(bad, units=False)
        feed(buffer, pictures(3.1))
        self.assertEqual(len(bad.gops), 1)

    def test_subscribing_twice_is_subscribing_once(self) -> None:
        """A consumer is told once."""
        buffer, listener = GopBuffer(0), Listener()
        buffer.subscribe(listener)
        buffer.subscribe(listener)
        buffer.push(video(0, sync=True))
        self.assertEqual(len(listener.units), 1)

    def test_unsubscribed_is_left_alone(self) -> None:
        """After unsubscribing nothing is told; doing it again is no error."""
        buffer, listener = GopBuffer(0), Listener()
        buffer.subscribe(listener)
        buffer.unsubscribe(listener)
        buffer.unsubscribe(listener)
        feed(buffer, pictures(2.1))
        self.assertEqual(listener.log, [])
