"""From units to clusters."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import AccessUnit, Gap, GapReason
from axis_nvr.storage.clusters import (
    MAX_CLUSTER_MS,
    BlockTrack,
    Course,
    PlannedCluster,
    plan_clusters,
    straighten,
)
from axis_nvr.storage.columns import Columns
from axis_nvr.wire.matroska import MAX_RELATIVE_MS, FrameTuple
from tests.storage.making import AUDIO, START_US, VIDEO, gop_of, unit

TRACKS = {0: BlockTrack(1, VIDEO), 1: BlockTrack(2, AUDIO)}


def sound(utc_us: int) -> AccessUnit:
    return unit(utc_us, track=1, sync=True, form=AUDIO, data=b"sound")


def arrivals() -> st.SearchStrategy[list[AccessUnit]]:
    """Units of up to three tracks, one of which no block has, some in another format or early."""
    forms = st.sampled_from((VIDEO, replace(VIDEO), AUDIO))
    times_us = st.one_of(st.integers(-2000, 300_000), st.integers(0, 90_000_000))
    units = st.builds(
        unit,
        times_us.map(START_US.__add__),
        track=st.integers(0, 2),
        sync=st.booleans(),
        data=st.binary(min_size=1, max_size=3),
        form=forms,
    )
    return st.lists(units, max_size=12)


def described(units: list[AccessUnit], tracks: dict[int, BlockTrack]) -> list[PlannedCluster]:
    """Clusters as the module's docstring tells them, unit by unit."""
    kept = [u for u in units if u.track in tracks and u.format == tracks[u.track].format]
    lowest = min((tracks[u.track].number for u in kept), default=0)
    frames: list[FrameTuple] = []
    places: list[tuple[int, int]] = []
    latest = dict.fromkeys(tracks, 0)
    for at, each in enumerate(kept):
        track = tracks[each.track]
        is_first = all(number != lowest for number, *_ in frames) and track.number == lowest
        time_ms = max(0, (each.utc_us - START_US + 500) // 1000)
        latest[each.track] = max(latest[each.track], time_ms)
        places.append((-1 if is_first else latest[each.track], at))
        data = each.data if track.convert is None else track.convert(each.data)
        frames.append((track.number, time_ms, each.sync, data))
    clusters: list[PlannedCluster] = []
    for _, at in sorted(places):
        number, time_ms, is_key, _ = frames[at]
        if not clusters or abs(time_ms - clusters[-1].timestamp_ms) > MAX_CLUSTER_MS:
            cue = (1, time_ms) if is_key and number == 1 else None
            clusters.append(PlannedCluster(time_ms, [], cue))
        clusters[-1].frames.append(frames[at])
    return clusters


class PlanTests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(arrivals(), st.booleans())
    def test_plans_what_is_described(self, units: list[AccessUnit], is_turned: bool) -> None:
        """The plan made by columns is the one made unit by unit."""
        convert = (lambda data: data[::-1]) if is_turned else None
        tracks = {0: BlockTrack(1, VIDEO), 1: BlockTrack(2, AUDIO, convert)}
        planned = plan_clusters(Columns.of(units), START_US, tracks, 0)
        self.assertEqual(planned, described(units, tracks))

    @given(st.lists(st.integers(0, 20_000_000), min_size=1, max_size=20))
    def test_times_are_right_to_half_a_millisecond(self, offsets: list[int]) -> None:
        """Block start plus timestamp is when the picture was taken."""
        units = [unit(START_US + offset, sync=not i) for i, offset in enumerate(offsets)]
        (cluster,) = plan_clusters(Columns.of(units), START_US, TRACKS, 0)
        for offset, (_, time_ms, _, _) in zip(offsets, cluster.frames, strict=True):
            self.assertLessEqual(abs(time_ms * 1000 - offset), 500)

    def test_decoding_order_is_kept(self) -> None:
        """Pictures stay in order of decoding with the times they are shown at."""
        shown = [0, 120_000, 40_000, 80_000, 240_000, 160_000, 200_000]
        units = [unit(START_US + at, sync=not i) for i, at in enumerate(shown)]
        (cluster,) = plan_clusters(Columns.of(units), START_US, TRACKS, 0)
        self.assertEqual([frame[1] * 1000 for frame in cluster.frames], shown)

    def test_sound_lies_between_the_pictures(self) -> None:
        """It is put where its time is, though it came late; the key frame is first all the same."""
        units = [
            sound(START_US),
            unit(START_US + 30_000, sync=True),
            unit(START_US + 70_000),
            unit(START_US + 110_000),
            sound(START_US + 50_000),
        ]
        (cluster,) = plan_clusters(Columns.of(units), START_US, TRACKS, 0)
        self.assertEqual(
            [(frame[0], frame[1]) for frame in cluster.frames],
            [(1, 30), (2, 0), (2, 50), (1, 70), (1, 110)],
        )
        self.assertEqual((cluster.timestamp_ms, cluster.cue), (30, (1, 30)))

    def test_a_long_group_is_several_clusters(self) -> None:
        """Frame times in a cluster are 16 bits; only the first cluster begins with a key frame."""
        units = [unit(START_US + i * 5_000_000, sync=not i) for i in range(15)]
        clusters = plan_clusters(Columns.of(units), START_US, TRACKS, 0)
        self.assertEqual([len(cluster.frames) for cluster in clusters], [7, 7, 1])
        self.assertEqual([cluster.cue for cluster in clusters], [(1, 0), None, None])

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(st.lists(st.tuples(st.integers(0, 90_000_000), st.booleans()), max_size=30))
    def test_every_frame_fits_its_cluster(self, drawn: list[tuple[int, bool]]) -> None:
        """Whatever the times, nothing is lost and nothing is too far from its cluster."""
        units = [
            sound(START_US + at) if is_sound else unit(START_US + at, sync=True)
            for at, is_sound in drawn
        ]
        clusters = plan_clusters(Columns.of(units), START_US, TRACKS, 0)
        self.assertEqual(sum(len(cluster.frames) for cluster in clusters), len(units))
        for cluster in clusters:
            for frame in cluster.frames:
                self.assertLess(abs(frame[1] - cluster.timestamp_ms), MAX_RELATIVE_MS)

    def test_what_the_block_has_no_track_for(self) -> None:
        """A track it does not know, or in another format, is left out."""
        other = unit(START_US, track=5, sync=True)
        (cluster,) = plan_clusters(
            Columns.of([unit(START_US, sync=True), other]), START_US, TRACKS, 0
        )
        self.assertEqual(len(cluster.frames), 1)
        self.assertEqual(plan_clusters(Columns.of([other]), START_US, TRACKS, 0), [])

    def test_bytes_are_converted(self) -> None:
        """A track may have its bytes turned into what players expect."""
        tracks = {0: BlockTrack(1, VIDEO, lambda data: data.upper())}
        (cluster,) = plan_clusters(Columns.of([unit(START_US, data=b"abc")]), START_US, tracks, 0)
        self.assertEqual(cluster.frames[0][3], b"ABC")


class StraightenTests(SynchronousTestCase):
    def group(self, step_us: int, reason: GapReason) -> tuple[list[AccessUnit], list[int]]:
        """Pictures in order of decoding; before the third the clock steps. And when taken."""
        gap = Gap(START_US, START_US, reason)
        taken = [START_US + at * 40_000 for at in (0, 4, 2, 1, 3, 8, 6, 5, 7)]
        units = [
            unit(
                moment_us + (step_us if at >= 2 else 0),
                sync=not at,
                gap=gap if at == 2 else None,
                taken_us=moment_us,
            )
            for at, moment_us in enumerate(taken)
        ]
        return units, taken

    def straight(self, units: list[AccessUnit], course: Course, **more: bool) -> Columns:
        """What is stored of a group."""
        return straighten(gop_of(units, **more), Columns.of(units), course)

    def assert_taken(self, times_us: Sequence[int], taken: list[int]) -> None:
        """Times are right to a tick of the media clock for each unit that was moved."""
        for found_us, moment_us in zip(times_us, taken, strict=True):
            self.assertLess(abs(found_us - moment_us), 200)

    def test_a_step_within_a_group_is_taken_out(self) -> None:
        """Forwards or backwards, pictures with B-frames keep their times to the next key frame."""
        for step_us in (-3_600_000_000, -200_000, -110_000, 150_000, 7_000_000):
            units, taken = self.group(step_us, GapReason.CLOCK_STEPPED)
            course = Course()
            self.assert_taken(self.straight(units, course).times_us, taken)
            self.assertLess(abs(course.shifts[0] + step_us), 200)

    def test_a_media_clock_that_jumps(self) -> None:
        """Where the RTP timestamp is what jumped, the times are right as they are."""
        gap = Gap(START_US, START_US, GapReason.TIMESTAMP_JUMP)
        units = [unit(START_US, sync=True)]
        units += [
            unit(START_US + at * 40_000, taken_us=at * 40_000, gap=gap if at == 1 else None)
            for at in range(1, 5)
        ]
        self.assertEqual(self.straight(units, Course()).units, units)

    def test_sound_is_moved_too(self) -> None:
        """The step is told with a picture; sound steps at its own unit."""
        units, _ = self.group(-300_000, GapReason.CLOCK_STEPPED)
        sounds = [sound(START_US + at * 20_000 - (300_000 if at > 3 else 0)) for at in range(8)]
        straight = straighten(gop_of(units), Columns.of([*units, *sounds]), Course())
        self.assertEqual(list(straight.times_of(1)), [START_US + at * 20_000 for at in range(8)])

    def test_the_part_after_it_goes_on_so(self) -> None:
        """A long group goes out in parts; those behind the step are moved as far."""
        units = [unit(START_US + 3_600_000_000 + i * 40_000) for i in range(3)]
        straight = self.straight(units, Course({0: -3_600_000_000}), starts_at_sync=False)
        self.assertEqual(list(straight.times_us), [START_US + i * 40_000 for i in range(3)])

    def test_a_step_between_two_parts(self) -> None:
        """A step far enough begins a part of its own, which goes on from the part before it."""
        for step_us in (-7_200_000_000, 7_200_000_000):
            units, taken = self.group(step_us, GapReason.CLOCK_STEPPED)
            sounds = [sound(START_US + at * 64_000) for at in range(2)]
            behind = [sound(START_US + at * 64_000 + step_us) for at in (2, 3)]
            course = Course()
            straighten(gop_of(units[:2]), Columns.of([*units[:2], *sounds]), course)
            part = gop_of(units[2:], starts_at_sync=False)
            straight = straighten(part, Columns.of([*units[2:], *behind]), course)
            self.assert_taken(straight.times_of(0), taken[2:])
            self.assertEqual(list(straight.times_of(1)), [START_US + at * 64_000 for at in (2, 3)])
            self.assertTrue(course.is_bent)

    def test_lost_packets_bend_nothing(self) -> None:
        """Without a word of the clock, times stay as they are."""
        units, _ = self.group(3_000_000, GapReason.PACKETS_LOST)
        self.assertEqual(self.straight(units, Course()).units, units)

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=9)))
    def test_units_that_are_passed_over(self, parts: list[list[tuple[int, int]]]) -> None:
        """The course is the same as if each unit of each part had been taken by itself."""
        course, expected = Course(), Course()
        for part in parts:
            units = [unit(START_US + time_us, track=track) for track, time_us in part]
            course.pass_over(Columns.of(units))
            for each in units:
                expected.take(each, each.utc_us)
        self.assertEqual(course, expected)
