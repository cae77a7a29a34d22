"""Recordings that grow, have gaps and damage, are of sound alone, or many as one."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import Gap, GapReason
from axis_nvr.services.playback.run import POLL_SECONDS
from axis_nvr.services.playback.source import Tracks
from axis_nvr.storage.reading import blocks
from axis_nvr.wire.rtcp import Bye
from tests.services.playback.playing import (
    SECOND_US,
    STEP_US,
    PlaybackTestCase,
    groups,
    picture,
    times,
)
from tests.storage.making import START_US, Bench, gop_of, sound_gop, unit
from tests.storage.reading.streams import H264, H265, OTHER_SOUND, SOUND


class PartsTests(PlaybackTestCase):
    """A group so large that it is told in parts."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(blocks, "MAX_GROUP_BYTES", 3000)
        writer = self.cinema.open(START_US, *groups(START_US, 2))
        for at in range(4):  # without a key frame: it belongs to the group before
            start_us = START_US + (10 + 5 * at) * STEP_US
            units = [picture(start_us + i * STEP_US, key=False, size=500) for i in range(5)]
            gop = gop_of(units, start_us + 5 * STEP_US, starts_at_sync=False)
            self.cinema.write(writer, gop)
        self.cinema.write(writer, *groups(START_US + 30 * STEP_US, 2))
        self.cinema.finish(writer)
        self.name = writer.recording_id

    def test_from_within(self) -> None:
        """From the key frame that its group begins with."""
        _, viewer = self.fetch(self.name, Range="npt=1.1-")
        self.assertEqual(times(viewer.seen()), list(range(200, 1600, 40)))

    def test_backwards(self) -> None:
        """The parts are put together, up to the start or all."""
        tail = list(range(0, 200, 40))
        _, viewer = self.fetch(self.name, Range="npt=1.1-", Scale="-1")
        self.assertEqual(times(viewer.seen()), [*range(200, 1101, 40), *tail])
        _, viewer = self.fetch(self.name, Scale="-1")
        late = [*range(1400, 1600, 40), *range(1200, 1400, 40)]
        self.assertEqual(times(viewer.seen()), [*late, *range(200, 1200, 40), *tail])


class GrowingTests(PlaybackTestCase):
    def test_it_goes_on_as_it_is_recorded(self) -> None:
        """The newest picture is sent at once and bears no mark; the end comes with the end."""
        writer = self.cinema.open(START_US, *groups(START_US, 5))
        viewer = self.viewer(writer.recording_id)
        viewer.start()
        viewer.watch(2)
        self.assertEqual(times(viewer.seen()), list(range(0, 1000, 40)))
        self.cinema.write(writer, *groups(START_US + SECOND_US, 5))
        viewer.watch(POLL_SECONDS + 0.05)
        self.assertGreater(len(viewer.seen()), 25)
        self.assertLess(len(viewer.seen()), 36)  # in time, and not all at once
        viewer.watch(2)
        self.assertEqual(times(viewer.seen()), list(range(0, 2000, 40)))
        marks = {one.marks for one in viewer.seen()[1:]}
        self.assertEqual(marks, {"", "C"})
        self.assertNotIn(Bye, {type(one) for one in viewer.reports_of()})
        self.cinema.finish(writer)
        viewer.watch(1)
        self.assertIsInstance(viewer.reports_of()[-1], Bye)

    def test_from_the_future(self) -> None:
        """From the newest on, as it comes."""
        writer = self.cinema.open(START_US, *groups(START_US, 5))
        viewer = self.viewer(writer.recording_id)
        self.assertEqual(viewer.start(Range="npt=100-", Rate_Control="no").status, 200)
        viewer.watch(0.1)
        self.assertEqual(times(viewer.seen()), list(range(800, 1000, 40)))
        self.cinema.write(writer, *groups(START_US + SECOND_US, 1))
        viewer.watch(POLL_SECONDS * 2)
        self.assertEqual(times(viewer.seen()), list(range(800, 1200, 40)))

    def test_after_the_end(self) -> None:
        """The session stays, and plays again."""
        viewer = self.viewer(self.record())
        viewer.start(Rate_Control="no")
        viewer.drain()
        count = len(viewer.seen())
        self.assertEqual(viewer.start(Range="npt=0-", Rate_Control="no").status, 200)
        viewer.drain()
        self.assertEqual(len(viewer.seen()), 2 * count)
        self.assertEqual(viewer.start(Rate_Control="no").status, 200)
        viewer.drain()
        self.assertEqual(len(viewer.seen()), 3 * count)


class SlowDiskTests(PlaybackTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.name = self.record(size=20_000)
        self.cinema.read_seconds = 0.03

    def test_one_read_at_a_time(self) -> None:
        """Whatever wakes meanwhile; and all that is late comes when it is there."""
        viewer = self.viewer(self.name)
        self.cinema.most_reading = 0
        viewer.start(Scale="4")
        viewer.watch(0.5)
        self.assertEqual(self.cinema.most_reading, 1)
        self.assertGreater(len(viewer.seen()), 3)

    def test_pause_while_a_group_is_read(self) -> None:
        """What has been read then is kept for when it goes on."""
        viewer = self.viewer(self.name, "&pull=1")
        viewer.start()
        viewer.watch(0.05)
        viewer.request("PAUSE", viewer.url())
        self.assertEqual(self.cinema.reading, 1)
        held = len(viewer.seen())
        viewer.watch(1)
        self.assertEqual((len(viewer.seen()), self.cinema.reading), (held, 0))
        viewer.start()
        viewer.watch(2)
        self.assertEqual(len(viewer.seen()), 100)

    def test_gone_while_it_is_prepared(self) -> None:
        """A client that leaves before the answer is no error, and is sent nothing."""
        viewer = self.viewer(self.name)
        viewer.protocol.dataReceived(
            b"PLAY %s RTSP/1.0\r\nCSeq: 9\r\nSession: %s\r\n\r\n"
            % (viewer.url().encode(), viewer.session.encode())
        )
        self.assertEqual(self.cinema.reading, 1)
        viewer.lose()
        viewer.transport.clear()
        self.cinema.advance(1)
        self.assertNotIn(b"$", viewer.transport.value())
        self.assertEqual(self.cinema.reading, 0)


class TroubleTests(PlaybackTestCase):
    def bench(self) -> Bench:
        return self.cinema.shelves.disks["HDD_DISK"].bench

    def test_a_block_that_goes(self) -> None:
        """What is missing is a gap; the rest is played."""
        name = self.record(size=30_000)
        viewer = self.viewer(name)
        viewer.start()
        viewer.watch(0.5)
        self.bench().blocks()[1].unlink()
        viewer.watch(4)
        seen = viewer.seen()
        self.assertEqual(times(seen), list(range(0, 2000, 40)))
        self.assertIn("E", seen[-1].marks)
        self.assertIsInstance(viewer.reports_of()[-1], Bye)

    def test_damage(self) -> None:
        """A broken group is a gap between what is good."""
        name = self.cinema.record(groups(START_US, 10))
        (block,) = self.bench().blocks()
        data = bytearray(block.read_bytes())
        at = data.index(b"%d" % (START_US + SECOND_US))
        data[at] ^= 1
        block.write_bytes(data)
        _, viewer = self.fetch(name)
        seen = viewer.seen()
        wanted = [*range(0, 1000, 40), *range(1200, 2000, 40)]
        self.assertEqual(times(seen), wanted)
        self.assertEqual(seen[24].marks, "E")

    def test_a_disk_that_goes(self) -> None:
        """The playback ends, and the server stays."""
        name = self.record()
        viewer = self.viewer(name)
        viewer.start(Range="npt=0-", Scale="0.1")
        viewer.watch(0.1)
        self.cinema.shelves.take("HDD_DISK")
        viewer.watch(1)
        self.assertEqual(viewer.start(Range="npt=1-").status, 503)
        self.assertEqual(self.cinema.connect().open(f"recordingid={name}").status, 404)
        self.cinema.shelves.put("HDD_DISK")

    def test_another_codec_has_no_place(self) -> None:
        """Its pictures are a gap; those of the first come again."""
        other = groups(START_US + SECOND_US, 5, form=H265)
        name = self.cinema.record(
            [*groups(START_US, 5), *other, *groups(START_US + 2 * SECOND_US, 5)]
        )
        _, viewer = self.fetch(name)
        self.assertEqual(times(viewer.seen()), [*range(0, 1000, 40), *range(2000, 3000, 40)])


class TracksTests(SynchronousTestCase):
    def test_what_has_no_place(self) -> None:
        """It is left out, and what it tells of a gap is told by what follows it."""
        tracks = Tracks({0: H264, 1: OTHER_SOUND})
        gap = Gap(0, 1, GapReason.DISCONNECTED)
        lost = unit(1, track=1, form=SOUND, gap=gap)
        kept = unit(2, form=H264)
        moved = unit(3, track=2, form=OTHER_SOUND)
        self.assertEqual(
            tracks.sort([lost, kept, moved]), [kept._replace(gap=gap), moved._replace(track=1)]
        )


class SoundAloneTests(PlaybackTestCase):
    def test_without_pictures(self) -> None:
        """It is played forward, and not backwards."""
        made = [sound_gop(START_US + at * 2 * SECOND_US, form=OTHER_SOUND) for at in range(3)]
        viewer = self.viewer(self.cinema.record(made))
        self.assertEqual(viewer.start(Range="npt=3-", Rate_Control="no").status, 200)
        viewer.drain()
        seen = viewer.seen()
        self.assertEqual(times(seen), list(range(2000, 6000, 100)))
        self.assertEqual({one.marks for one in seen}, {"CD", "C", "CET"})
        self.assertEqual(viewer.start(Scale="-1").status, 457)


class DeviceTests(PlaybackTestCase):
    def test_overlapping_recordings(self) -> None:
        """Each moment is shown by one; what it is decoded from comes before it, marked D."""
        first = self.cinema.open(START_US, *groups(START_US, 5))
        second = self.cinema.open(
            START_US + 700_000, *groups(START_US + 700_000, 5), *groups(START_US + 1_700_000, 1)
        )
        self.cinema.finish(first)
        self.cinema.finish(second)
        viewer = self.cinema.connect()
        viewer.open("playbackdevice=front&pull=1&onvifreplayext=1")
        viewer.start()
        viewer.drain()
        seen = viewer.seen()
        later = list(range(900, 1900, 40))
        self.assertEqual(times(seen), [*range(0, 1000, 40), *later])
        self.assertEqual([one.marks for one in seen if "D" in one.marks], ["CD", "CD"])
        self.assertEqual(seen[25].marks, "CD")

    def test_over_all_recordings(self) -> None:
        """One after another, as one."""
        self.cinema.record(groups(START_US, 5))
        self.cinema.record(groups(START_US + 60 * SECOND_US, 5))
        viewer = self.cinema.connect()
        viewer.open("playbackdevice=front&pull=1&onvifreplayext=1")
        viewer.start()
        viewer.drain()
        seen = viewer.seen()
        wanted = [*range(0, 1000, 40), *range(60_000, 61_000, 40)]
        self.assertEqual(times(seen), wanted)
        self.assertEqual([one.marks for one in seen if "E" in one.marks], ["E", "ET"])
