"""From units to clusters."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import AccessUnit, Gap, GapReason
from axis_nvr.storage.clusters import BlockTrack, Course, plan_clusters, straighten
from axis_nvr.wire.matroska import MAX_RELATIVE_MS
from tests.storage.making import AUDIO, START_US, VIDEO, gop_of, unit

TRACKS = {0: BlockTrack(1, VIDEO), 1: BlockTrack(2, AUDIO)}


def sound(utc_us: int) -> AccessUnit:
    return unit(utc_us, track=1, sync=True, form=AUDIO, data=b"sound")


class PlanTests(SynchronousTestCase):
    @given(st.lists(st.integers(0, 20_000_000), min_size=1, max_size=20))
    def test_times_are_right_to_half_a_millisecond(self, offsets: list[int]) -> None:
        """Block start plus timestamp is when the picture was taken."""
        units = [unit(START_US + offset, sync=not i) for i, offset in enumerate(offsets)]
        (cluster,) = plan_clusters(units, START_US, TRACKS, 0)
        for offset, (_, time_ms, _, _) in zip(offsets, cluster.frames, strict=True):
            self.assertLessEqual(abs(time_ms * 1000 - offset), 500)

    def test_decoding_order_is_kept(self) -> None:
        """Pictures stay in order of decoding with the times they are shown at."""
        shown = [0, 120_000, 40_000, 80_000, 240_000, 160_000, 200_000]
        units = [unit(START_US + at, sync=not i) for i, at in enumerate(shown)]
        (cluster,) = plan_clusters(units, START_US, TRACKS, 0)
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
        (cluster,) = plan_clusters(units, START_US, TRACKS, 0)
        self.assertEqual(
            [(frame[0], frame[1]) for frame in cluster.frames],
            [(1, 30), (2, 0), (2, 50), (1, 70), (1, 110)],
        )
        self.assertEqual((cluster.timestamp_ms, cluster.cue), (30, (1, 30)))

    def test_a_long_group_is_several_clusters(self) -> None:
        """Frame times in a cluster are 16 bits; only the first cluster begins with a key frame."""
        units = [unit(START_US + i * 5_000_000, sync=not i) for i in range(15)]
        clusters = plan_clusters(units, START_US, TRACKS, 0)
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
        clusters = plan_clusters(units, START_US, TRACKS, 0)
        self.assertEqual(sum(len(cluster.frames) for cluster in clusters), len(units))
        for cluster in clusters:
            for frame in cluster.frames:
                self.assertLess(abs(frame[1] - cluster.timestamp_ms), MAX_RELATIVE_MS)

    def test_what_the_block_has_no_track_for(self) -> None:
        """A track it does not know, or in another format, is left out."""
        other = unit(START_US, track=5, sync=True)
        (cluster,) = plan_clusters([unit(START_US, sync=True), other], START_US, TRACKS, 0)
        self.assertEqual(len(cluster.frames), 1)
        self.assertEqual(plan_clusters([other], START_US, TRACKS, 0), [])

    def test_bytes_are_converted(self) -> None:
        """A track may have its bytes turned into what players expect."""
        tracks = {0: BlockTrack(1, VIDEO, lambda data: data.upper())}
        (cluster,) = plan_clusters([unit(START_US, data=b"abc")], START_US, tracks, 0)
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

    def assert_taken(self, units: Sequence[AccessUnit], taken: list[int]) -> None:
        """Times are right to a tick of the media clock for each unit that was moved."""
        for found, moment_us in zip(units, taken, strict=True):
            self.assertLess(abs(found.utc_us - moment_us), 200)

    def test_a_step_within_a_group_is_taken_out(self) -> None:
        """Forwards or backwards, pictures with B-frames keep their times to the next key frame."""
        for step_us in (-3_600_000_000, -200_000, -110_000, 150_000, 7_000_000):
            units, taken = self.group(step_us, GapReason.CLOCK_STEPPED)
            course = Course()
            self.assert_taken(straighten(gop_of(units), units, course), taken)
            self.assertLess(abs(course.shifts[0] + step_us), 200)

    def test_a_media_clock_that_jumps(self) -> None:
        """Where the RTP timestamp is what jumped, the times are right as they are."""
        gap = Gap(START_US, START_US, GapReason.TIMESTAMP_JUMP)
        units = [unit(START_US, sync=True)]
        units += [
            unit(START_US + at * 40_000, taken_us=at * 40_000, gap=gap if at == 1 else None)
            for at in range(1, 5)
        ]
        self.assertEqual(straighten(gop_of(units), units, Course()), units)

    def test_sound_is_moved_too(self) -> None:
        """The step is told with a picture; sound steps at its own unit."""
        units, _ = self.group(-300_000, GapReason.CLOCK_STEPPED)
        sounds = [sound(START_US + at * 20_000 - (300_000 if at > 3 else 0)) for at in range(8)]
        straight = straighten(gop_of(units), [*units, *sounds], Course())
        self.assertEqual(
            [u.utc_us for u in straight if u.track == 1],
            [START_US + at * 20_000 for at in range(8)],
        )

    def test_the_part_after_it_goes_on_so(self) -> None:
        """A long group goes out in parts; those behind the step are moved as far."""
        units = [unit(START_US + 3_600_000_000 + i * 40_000) for i in range(3)]
        part = gop_of(units, starts_at_sync=False)
        straight = straighten(part, units, Course({0: -3_600_000_000}))
        self.assertEqual([u.utc_us for u in straight], [START_US + i * 40_000 for i in range(3)])

    def test_a_step_between_two_parts(self) -> None:
        """A step far enough begins a part of its own, which goes on from the part before it."""
        for step_us in (-7_200_000_000, 7_200_000_000):
            units, taken = self.group(step_us, GapReason.CLOCK_STEPPED)
            sounds = [sound(START_US + at * 64_000) for at in range(2)]
            behind = [sound(START_US + at * 64_000 + step_us) for at in (2, 3)]
            course = Course()
            straighten(gop_of(units[:2]), [*units[:2], *sounds], course)
            self.assertEqual({bytes(u.data) for u in course.before.values()}, {b""})
            part = gop_of(units[2:], starts_at_sync=False)
            straight = straighten(part, [*units[2:], *behind], course)
            self.assert_taken(straight[:-2], taken[2:])
            self.assertEqual(
                [u.utc_us for u in straight[-2:]], [START_US + at * 64_000 for at in (2, 3)]
            )
            self.assertTrue(course.is_bent)

    def test_lost_packets_bend_nothing(self) -> None:
        """Without a word of the clock, times stay as they are."""
        units, _ = self.group(3_000_000, GapReason.PACKETS_LOST)
        self.assertEqual(straighten(gop_of(units), units, Course()), units)
