"""When a recording goes on in a new block, asked directly."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import AccessUnit, Format
from axis_nvr.storage.clusters import BlockTrack
from axis_nvr.storage.columns import Columns
from axis_nvr.storage.cutting import BLOCK_SECONDS, BlockState, Cut, cut_reason, stop_of
from tests.storage.making import AUDIO, START_US, VIDEO, gop_of, unit

SECOND = 1_000_000


def picture(seconds: float, form: Format = VIDEO) -> AccessUnit:
    return unit(START_US + round(seconds * SECOND), sync=True, form=form)


def sound(seconds: float) -> AccessUnit:
    return unit(START_US + round(seconds * SECOND), track=1, sync=True, form=AUDIO)


class CutReasonTests(SynchronousTestCase):
    def setUp(self) -> None:
        """A block with pictures up to its tenth second."""
        self.block = BlockState(
            start_us=START_US,
            main_track=0,
            tracks={0: BlockTrack(1, VIDEO), 1: BlockTrack(2, AUDIO)},
            last_us=START_US + 10 * SECOND,
            stop_us=START_US + 11 * SECOND,
        )

    def reason(self, *units: AccessUnit, is_bent: bool = False) -> Cut | None:
        """Why a group of these cannot go into the block."""
        return cut_reason(self.block, gop_of(units), Columns.of(units), is_bent=is_bent)

    def test_what_goes_on(self) -> None:
        """Pictures, sound or both that follow the last picture cut nothing."""
        self.assertIsNone(self.reason(picture(11), sound(11)))
        self.assertIsNone(self.reason(sound(9.5), picture(11)))
        self.assertIsNone(self.reason(picture(11)))
        self.assertIsNone(self.reason(sound(9), sound(11)))

    def test_formats(self) -> None:
        """An equal format is as good as the same one; the first of each track counts."""
        self.assertIsNone(self.reason(picture(11, replace(VIDEO))))
        other = replace(VIDEO, width=640)
        self.assertIsNone(self.reason(picture(11), picture(12, other)))
        self.assertIs(self.reason(picture(11, other), picture(12)), Cut.FORMAT)
        self.assertIs(self.reason(picture(11), unit(START_US, track=7)), Cut.FORMAT)

    def test_time_that_goes_back(self) -> None:
        """A picture is behind the last one, and nothing is before the block."""
        self.assertIs(self.reason(sound(11), picture(10)), Cut.TIME_BACK)
        self.assertIsNone(self.reason(sound(11), picture(10.001)))
        self.assertIs(self.reason(picture(11), sound(-0.001)), Cut.TIME_BACK)
        self.assertIsNone(self.reason(picture(11), sound(0)))

    def test_a_hole(self) -> None:
        """It is as long as nothing of any track came."""
        self.assertIsNone(self.reason(picture(16)))
        self.assertIs(self.reason(picture(16.001)), Cut.HOLE)
        self.assertIsNone(self.reason(picture(16.001), sound(16)))

    def test_length(self) -> None:
        """It counts from the first picture; without any, from what came first."""
        self.block.last_us = self.block.stop_us = START_US + (BLOCK_SECONDS - 1) * SECOND
        long, short = BLOCK_SECONDS, BLOCK_SECONDS - 0.001
        self.assertIs(self.reason(sound(short), picture(long)), Cut.LENGTH)
        self.assertIsNone(self.reason(sound(long), picture(short)))
        self.assertIs(self.reason(sound(long), sound(short)), Cut.LENGTH)
        self.assertIsNone(self.reason(sound(short), sound(long)))


class StopTests(SynchronousTestCase):
    def test_where_the_next_one_begins(self) -> None:
        """A whole group ends there; the latest time is that of the main track, in any order."""
        units = [picture(0), picture(2), picture(1), sound(3)]
        gop = gop_of(units, START_US + 4 * SECOND)
        stop = stop_of(gop, Columns.of(units), 0)
        self.assertEqual(stop, (START_US + 2 * SECOND, START_US + 4 * SECOND))

    def test_a_picture_after_the_last(self) -> None:
        """One that was cut short ends there, or where the next one begins far away."""
        units = [picture(0), picture(3), picture(1), sound(9)]
        for end_us in (None, START_US + 8 * SECOND + 1):
            stop = stop_of(gop_of(units, end_us), Columns.of(units), 0)
            self.assertEqual(stop, (START_US + 3 * SECOND, START_US + 4_500_000))

    def test_without_the_main_track(self) -> None:
        """The others tell."""
        units = [sound(0), sound(2)]
        stop = stop_of(gop_of(units), Columns.of(units), 0)
        self.assertEqual(stop, (START_US + 2 * SECOND, START_US + 4 * SECOND))
