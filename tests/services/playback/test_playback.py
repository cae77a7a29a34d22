"""Recordings played over RTSP: from where, in what order, when, and what is said about it."""

from itertools import pairwise

from axis_nvr.services.playback.run import LEAVE_SECONDS
from axis_nvr.wire.rtcp import Bye, SenderReport
from axis_nvr.wire.rtp import parse_extension
from axis_nvr.wire.rtsp_headers import parse_rtp_info
from tests.services.playback.playing import (
    LATER_US,
    PATH,
    PlaybackTestCase,
    Viewer,
    groups,
    times,
)
from tests.storage.making import START_US

#: 2024-05-06T07:08:09.012345Z, as START_US
CLOCK = "clock=20240506T0708{:09.6f}Z"


def clock(us: int) -> str:
    """A time so far behind the start, as ``Range`` has it."""
    return CLOCK.format(9.012345 + us / 1e6).removeprefix("clock=")


class UrlTests(PlaybackTestCase):
    def test_forms(self) -> None:
        """By id, quoted or not; by ONVIF's path, with the disk in front; by device."""
        name = self.record()
        for query, path in (
            (f"recordingid={name}", "/axis-media/media.amp"),
            (f"recordingid=%22{name}%22&pull=1", "/axis-media/media.amp"),
            (f"onvifreplayid=HDD_DISK_{name}", "/onvif-media/record/play.amp"),
            ("playbackdevice=front", "/axis-media/media.amp"),
        ):
            response = self.cinema.connect().open(query, 1, path)
            self.assertEqual(response.status, 200, query)

    def test_what_is_not_there(self) -> None:
        """404."""
        name = self.record()
        for query, path in (
            ("recordingid=20200101_000000_0000_ACCC8E012345", "/axis-media/media.amp"),
            ("recordingid=..", "/axis-media/media.amp"),
            (f"recordingid={name}&diskid=SD_DISK", "/axis-media/media.amp"),
            (f"recordingid={name}&video=0", "/axis-media/media.amp"),
            (f"onvifreplayid=SD_DISK_{name}", "/onvif-media/record/play.amp"),
            ("playbackdevice=nobody", "/axis-media/media.amp"),
        ):
            self.assertEqual(self.cinema.connect().open(query, 1, path).status, 404, query)

    def test_description(self) -> None:
        """Tracks with their tokens, and of what time there is something."""
        name = self.cinema.record(groups(START_US, 5, sounds=4))
        body = self.cinema.connect().open(f"recordingid={name}", 0).body.decode()
        self.assertIn("a=range:npt=0.000-1.000\r\n", body)
        self.assertIn("a=x-onvif-track:VIDEO001\r\n", body)
        self.assertIn("a=x-onvif-track:AUDIO001\r\n", body)
        onvif = self.cinema.connect().open(
            f"onvifreplayid={name}", 0, "/onvif-media/record/play.amp"
        )
        span = "a=range:clock=20240506T070809.012345Z-20240506T070810.012345Z\r\n"
        self.assertIn(span, onvif.body.decode())
        body = self.cinema.connect().open(f"recordingid={name}&audio=0", 0).body.decode()
        self.assertNotIn("AUDIO001", body)

    def test_a_recording_that_runs(self) -> None:
        """Its end is open."""
        writer = self.cinema.open(START_US, *groups(START_US, 3))
        body = self.cinema.connect().open(f"recordingid={writer.recording_id}", 0).body.decode()
        self.assertIn("a=range:npt=0.000-\r\n", body)


class OutOfTimeTests(PlaybackTestCase):
    def test_every_byte(self) -> None:
        """All pictures and sounds, in order, as they were recorded; then SR without time, BYE."""
        made = groups(START_US, 10, sounds=4)
        viewer = self.viewer(self.cinema.record(made), "&pull=1", tracks=2)
        viewer.start()
        viewer.drain()
        for track in (0, 1):
            wanted = [unit for one in made for unit in one.units if unit.track == track]
            seen = [one for one in viewer.seen() if one.track == track]
            self.assertEqual([one.utc_us for one in seen], [unit.utc_us for unit in wanted])
            for one, stored in zip(seen, wanted, strict=True):
                self.assertTrue(one.data.endswith(bytes(stored.data[0 if track else 4 :])))
            report, _, bye = viewer.reports_of(track)
            assert isinstance(report, SenderReport)
            assert isinstance(bye, Bye)
            self.assertEqual((report.ntp_64, report.rtp_timestamp), (0, 0))
            self.assertEqual(bye.ssrcs, (report.ssrc,))

    def test_times_are_those_recorded(self) -> None:
        """RTP time goes by with the sampling, across a gap too."""
        _, viewer = self.fetch(self.record())
        seen = viewer.seen()
        first = seen[0]
        for one in seen:
            ticks = (one.timestamp - first.timestamp) % (1 << 32)
            self.assert_near(ticks, (one.utc_us - first.utc_us) * 9 / 100, 1)

    def test_marks(self) -> None:
        """The last before the gap and the last of all end a section; only the first begins one."""
        response, viewer = self.fetch(self.record())
        marked = {one.utc_us: one.marks for one in viewer.seen() if one.marks not in ("", "C")}
        self.assertEqual(
            marked,
            {START_US: "CD", START_US + 1_960_000: "E", LATER_US + 1_960_000: "ET"},
        )
        cseq = int(response.headers.get("CSeq"))
        self.assertEqual({one.cseq for one in viewer.seen()}, {cseq})

    def test_answer(self) -> None:
        """What is sent first, and its place in RTP."""
        response, viewer = self.fetch(self.record(), Range=f"clock={clock(500_000)}-")
        first = viewer.seen()[0]
        self.assertEqual(times([first]), [400])
        self.assertEqual(
            response.headers.get("Range"), f"clock={clock(400_000).rstrip('0Z')}Z-{END}"
        )
        (info,) = parse_rtp_info(response.headers.get("RTP-Info"))
        self.assertEqual(info.timestamp, first.timestamp)
        self.assertEqual(response.headers.get("Rate-Control"), "no")

    def test_as_fast_as_the_client_reads(self) -> None:
        """What it does not take stays on the disk, and nothing is lost."""
        name = self.cinema.record(groups(START_US, 40, size=20_000))
        viewer = self.cinema.connect(limit=50_000)
        viewer.open(f"recordingid={name}&onvifreplayext=1&pull=1")
        viewer.protocol.dataReceived(b"")
        viewer.start()
        self.cinema.advance(5)
        self.assertLess(len(viewer.transport.value()), 100_000)
        viewer.drain()
        wanted = [at * 40 for at in range(200)]
        self.assertEqual(times(viewer.seen()), wanted)
        self.assert_counted(viewer)


END = "20240506T070823.012345Z"


class StartTests(PlaybackTestCase):
    def first(self, asked: str, **headers: str) -> int:
        _, viewer = self.fetch(self.name, Range=asked, **headers)
        return times(viewer.seen())[0]

    def test_where_it_begins(self) -> None:
        """With the key frame at or before; behind a gap, or backwards before it."""
        self.name = self.record()
        for asked, forward, backward in (
            ("npt=0-", 0, 0),
            ("npt=0.19-", 0, 0),
            ("npt=0.2-", 200, 200),
            ("npt=1.99-", 1800, 1800),
            ("npt=5-", 12_000, 1800),
            ("npt=11.999-", 12_000, 1800),
            ("npt=12.3-", 12_200, 12_200),
            ("npt=now-", 13_800, 13_800),
            ("npt=14-", 13_800, 13_800),
        ):
            self.assertEqual(self.first(asked), forward, asked)
            self.assertEqual(self.first(asked, Scale="-1"), backward, asked)

    def test_backwards_from_behind(self) -> None:
        """Without a range, or from later than all: from the end."""
        self.name = self.record()
        self.assertEqual(self.first("clock=20300101T000000Z-", Scale="-1"), 13_800)
        _, viewer = self.fetch(self.name, Scale="-1")
        self.assertEqual(times(viewer.seen())[0], 13_800)

    def test_closed_ranges(self) -> None:
        """Up to the last picture not behind the end; backwards with the group that has it."""
        self.name = self.record()
        _, viewer = self.fetch(self.name, Range="npt=1.9-12.1")
        found = times(viewer.seen())
        wanted = [*range(1800, 2000, 40), *range(12_000, 12_101, 40)]
        self.assertEqual(found, wanted)
        self.assertNotIn("T", "".join(one.marks for one in viewer.seen()))
        self.assertIsInstance(viewer.reports_of()[-1], Bye)
        _, viewer = self.fetch(self.name, Range="npt=12.1-1.9", Scale="-1")
        wanted = [*range(12_000, 12_101, 40), *range(1800, 2000, 40)]
        self.assertEqual(times(viewer.seen()), wanted)

    def test_refused(self) -> None:
        """Nothing is there: 457; a word nobody knows: 400. What plays goes on."""
        self.name = self.record()
        viewer = self.viewer(self.name)
        viewer.start()
        viewer.watch(0.1)
        for status, headers in (
            (457, {"Range": "npt=99-"}),
            (457, {"Range": "npt=3-1"}),
            (457, {"Range": "npt=1-3", "Scale": "-1"}),
            (457, {"Range": "clock=20200101T000000Z-", "Scale": "-1"}),
            (400, {"Scale": "quickly"}),
            (400, {"Frames": "few"}),
        ):
            self.assertEqual(viewer.start(**headers).status, status, headers)
        viewer.watch(0.5)
        found = times(viewer.seen())
        self.assertEqual(found, list(range(0, 40 * len(found), 40)))
        self.assertGreaterEqual(len(found), 15)


class BackwardTests(PlaybackTestCase):
    def test_groups_in_reverse(self) -> None:
        """Each group forward, D on its first; E where a section begins; T at the end of all."""
        _, viewer = self.fetch(self.record(), Scale="-1")
        seen = viewer.seen()
        starts = [*range(13_800, 11_999, -200), *range(1800, -1, -200)]
        wanted = [start + at for start in starts for at in range(0, 200, 40)]
        self.assertEqual(times(seen), wanted)
        self.assertEqual([one.marks for one in seen[::5]], ["CD"] * 20)
        ends = [
            (time, one.marks) for time, one in zip(wanted, seen, strict=True) if "E" in one.marks
        ]
        self.assertEqual(ends, [(12_160, "E"), (160, "ET")])

    def test_there_and_back(self) -> None:
        """Backward gives what forward does, in reverse."""
        name = self.record()
        for frames in ("all", "intra", "intra/600"):
            forward = self.fetch(name, Frames=frames)[1].seen()
            backward = self.fetch(name, Frames=frames, Scale="-1")[1].seen()
            if frames == "intra/600":  # counted from the other end
                self.assertEqual(len(forward), len(backward))
                continue
            self.assertEqual(
                sorted(one.utc_us for one in forward), sorted(one.utc_us for one in backward)
            )

    def test_in_time(self) -> None:
        """RTP time rises from key frame to key frame and falls within a group."""
        viewer = self.viewer(self.record())
        viewer.start(Scale="-1.0", Range="npt=1.96-")
        viewer.watch(3)
        seen = viewer.seen()
        self.assertEqual(len(seen), 50)
        stamps = [(one.timestamp - seen[0].timestamp + (1 << 31)) % (1 << 32) for one in seen]
        for at in range(0, 50, 5):
            self.assertEqual(stamps[at : at + 5], sorted(stamps[at : at + 5], reverse=True))
        self.assertEqual(stamps[::5], sorted(stamps[::5]))
        self.assert_near(seen[-1].at - seen[0].at, 1.96, 0.03)


class InTimeTests(PlaybackTestCase):
    def test_pace(self) -> None:
        """Each picture comes when it is due, a gap takes a second; SR as usual, BYE at the end."""
        viewer = self.viewer(self.record())
        viewer.start()
        viewer.watch(6)
        seen = viewer.seen()
        self.assertEqual(len(seen), 100)
        begin = seen[0]
        for one in seen:
            wanted = (one.utc_us - begin.utc_us) / 1e6
            if one.utc_us >= LATER_US:
                wanted -= 10.04 - 1
            self.assert_near(one.at - begin.at, wanted, 0.03)
            ticks = (one.timestamp - begin.timestamp) % (1 << 32)
            self.assert_near(ticks / 90_000, wanted, 0.001)
        reports = viewer.reports_of()
        self.assertIsInstance(reports[-1], Bye)
        self.assertEqual(sum(isinstance(one, Bye) for one in reports), 1)
        self.assertEqual(sum(isinstance(one, SenderReport) for one in reports), 3)

    def test_faster_and_slower(self) -> None:
        """RTP time is that of presentation."""
        name = self.record()
        for scale, step_ms, count in (("2.0", 20, 23), ("0.5", 80, 6), ("4", 10, 45)):
            viewer = self.viewer(name)
            response = viewer.start(Scale=scale)
            self.assertEqual(float(response.headers.get("Scale")), float(scale))
            viewer.watch(0.45)
            seen = viewer.seen()
            self.assert_near(len(seen), count, 2)
            ticks = (seen[1].timestamp - seen[0].timestamp) % (1 << 32)
            self.assertEqual(ticks, step_ms * 90)

    def test_very_fast(self) -> None:
        """Key frames only, and the answer says so."""
        viewer = self.viewer(self.record())
        response = viewer.start(Scale="10")
        self.assertEqual(response.headers.get("Frames"), "intra/400")
        viewer.watch(0.5)
        self.assertEqual(times(viewer.seen())[:5], [0, 400, 800, 1200, 1600])

    def test_seek(self) -> None:
        """Behind the answer nothing of the old PLAY comes; D and CSeq tell where the new begins."""
        viewer = self.viewer(self.record())
        viewer.start()
        viewer.watch(0.3)
        before, packets = len(viewer.seen()), len(viewer.numbers())
        response = viewer.start(Range="npt=13-", Immediate="yes")
        viewer.watch(0.3)
        behind = viewer.seen()[before:]
        self.assertEqual({one.cseq for one in behind}, {int(response.headers.get("CSeq"))})
        self.assertEqual(behind[0].marks, "CD")
        self.assertEqual(times(behind)[:3], [13_000, 13_040, 13_080])
        self.assert_counted(viewer)
        (info,) = parse_rtp_info(response.headers.get("RTP-Info"))
        self.assertEqual(info.sequence_number, viewer.numbers()[packets])

    def test_rtp_time_through_seeks(self) -> None:
        """It never goes back, and is what RTP-Info said."""
        viewer = self.viewer(self.record())
        last = None
        for asked in ("npt=0-", "npt=12-", "npt=1-"):
            response = viewer.start(Range=asked)
            (info,) = parse_rtp_info(response.headers.get("RTP-Info"))
            assert info.timestamp is not None
            before = len(viewer.seen()) if last is not None else 0
            viewer.watch(0.5)
            behind = viewer.seen()[0 if last is None else before :]
            first = behind[0]
            if last is None:
                self.assertEqual(info.timestamp, first.timestamp)
            else:
                self.assertLess((info.timestamp - last) % (1 << 32), 90_000)
                self.assertIn(info.timestamp, [one.timestamp for one in viewer.seen()])
            last = behind[-1].timestamp

    def test_pause(self) -> None:
        """Nothing comes; then the very next picture, as if nothing had been."""
        viewer = self.viewer(self.record())
        viewer.start()
        viewer.watch(0.3)
        viewer.request("PAUSE", viewer.url())
        held = len(viewer.seen())
        viewer.watch(5)
        self.assertEqual(len(viewer.seen()), held)
        response = viewer.start()
        viewer.watch(0.5)
        seen = viewer.seen()
        self.assertEqual(times(seen), list(range(0, 40 * len(seen), 40)))
        self.assertEqual(seen[held].cseq, int(response.headers.get("CSeq")))
        self.assertNotIn("D", seen[held].marks)
        self.assertGreater(len(seen), held + 10)
        self.assertTrue(response.headers.get("Range").startswith(f"npt={held * 0.04:.3f}"))

    def test_another_manner_behind_a_pause(self) -> None:
        """From the key frame of where it stopped."""
        viewer = self.viewer(self.record())
        viewer.start()
        viewer.watch(0.5)
        viewer.request("PAUSE", viewer.url())
        held = len(viewer.seen())
        viewer.start(Scale="-1")
        viewer.watch(0.3)
        behind = viewer.seen()[held:]
        self.assertEqual(times(behind)[0], 400)
        self.assertEqual(behind[0].marks, "CD")

    def test_sound(self) -> None:
        """With the pictures of its time; not at another tempo."""
        name = self.cinema.record(groups(START_US, 10, sounds=8))
        viewer = self.viewer(name, tracks=2)
        viewer.start()
        viewer.watch(1)
        seen = viewer.seen()
        for before, after in pairwise(seen):
            self.assertLess(before.utc_us - after.utc_us, 50_000)
        self.assertEqual({one.track for one in seen}, {0, 1})
        self.assertEqual({one.marks for one in seen if one.track}, {"C", "CD"})
        viewer.start(Range="npt=0-", Scale="2")
        count = len(viewer.seen())
        viewer.watch(0.5)
        self.assertEqual({one.track for one in viewer.seen()[count + 1 :]}, {0})

    def test_a_client_that_stops_reading(self) -> None:
        """It gets all when it reads again."""
        name = self.cinema.record(groups(START_US, 20, size=20_000))
        viewer = self.cinema.connect(limit=50_000)
        viewer.open(f"recordingid={name}&onvifreplayext=1")
        viewer.start()
        self.cinema.advance(10)
        self.assertLess(len(viewer.transport.value()), 100_000)
        viewer.drain()
        self.assertEqual(len(viewer.seen()), 100)
        viewer.watch(LEAVE_SECONDS + 0.1)
        self.assertIsInstance(viewer.reports_of()[-1], Bye)

    def test_a_busy_machine(self) -> None:
        """All comes, and the end, between whichever two looks at the clock much becomes due."""
        name, clock = self.cinema.record(groups(START_US, 1)), self.cinema.clock
        for looks in range(1000):
            viewer = self.viewer(name)
            clock.looks_left = looks
            viewer.start()
            viewer.watch(1, 0.05)
            self.assertEqual(len(viewer.seen()), 5, looks)
            self.assertIsInstance(viewer.reports_of()[-1], Bye, looks)
            if clock.looks_left >= 0:  # it was not looked at as often
                break
        self.assertGreater(looks, 30)


class HeldUpTests(PlaybackTestCase):
    def fill(self) -> Viewer:
        """A client that has stopped reading what it asked for."""
        name = self.cinema.record(groups(START_US, 20, size=20_000))
        viewer = self.cinema.connect(limit=50_000)
        viewer.open(f"recordingid={name}&onvifreplayext=1&pull=1")
        viewer.start()
        return viewer

    def test_a_long_pause(self) -> None:
        """A client that reads nothing for some minutes is not taken for silent."""
        viewer = self.fill()
        self.cinema.advance(240, 1.0)
        viewer.drain()
        self.assertEqual(len(viewer.seen()), 100)
        self.cinema.advance(70, 1.0)
        self.assertTrue(viewer.transport.aborted)

    def test_for_ever(self) -> None:
        """In the end it is."""
        viewer = self.fill()
        self.cinema.advance(400, 1.0)
        self.assertTrue(viewer.transport.aborted)


class ExtensionTests(PlaybackTestCase):
    def has_extension(self, query: str, set_up: dict[str, str], play: dict[str, str]) -> bool:
        viewer = self.cinema.connect()
        viewer.open(query, 1, PATH, **set_up)
        viewer.start(**play)
        viewer.watch(0.1)
        viewer.read()
        first = next(data for channel, data in viewer.frames if channel == 0)
        return parse_extension(first) is not None

    def test_who_gets_it(self) -> None:
        """Who names the feature, in whatever request, or whose URL asks for it."""
        name = self.record()
        replay = {"Require": "onvif-replay"}
        for query, set_up, play, wanted in (
            ("", {}, {}, False),
            ("", replay, {}, True),
            ("", {}, replay, True),
            ("", {}, {"Rate_Control": "yes"}, True),
            ("&onvifreplayext=1", {}, {}, True),
            ("&onvifreplayext=0", replay, replay, False),
        ):
            found = self.has_extension(f"recordingid={name}{query}", set_up, play)
            self.assertEqual(found, wanted, (query, set_up, play))

    def test_first_packet_only(self) -> None:
        """Parameter sets and pieces behind it go without."""
        name = self.cinema.record(groups(START_US, 1, size=3000))
        viewer = self.viewer(name)
        viewer.start(Rate_Control="no")
        viewer.drain()
        viewer.read()
        packets = [data for channel, data in viewer.frames if channel == 0]
        with_it = [data for data in packets if parse_extension(data) is not None]
        self.assertEqual(len(with_it), 5)
        self.assertGreater(len(packets), 15)
        self.assertEqual(with_it[0][28] & 31, 7)  # the SPS of the key frame
        self.assertLessEqual(max(map(len, packets)), 1400)
