"""What clients see of a camera that is live."""

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import AccessUnit, Gap, GapReason
from axis_nvr.services.live import shared_unit
from axis_nvr.services.live.feed import AWAY_SECONDS, LOOK_SECONDS, PATIENCE_SECONDS
from axis_nvr.services.live.feeds import LINGER_SECONDS, MAX_STREAMS_OF_DEVICE
from axis_nvr.services.stream_errors import ErrorKind, StreamError
from axis_nvr.services.stream_status import StreamState
from axis_nvr.session.packetizers.choose import packetizer_for
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.wire.ntp import ntp_from_utc_us
from axis_nvr.wire.rtp import parse_extension
from axis_nvr.wire.rtp_extensions import parse_replay
from axis_nvr.wire.rtsp_headers import parse_rtp_info
from tests.services.live.harness import (
    AAC,
    H264,
    H265,
    OTHER_H264,
    PICTURE_US,
    Client,
    Recorder,
    timestamps,
)


class LiveTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.recorder = Recorder()
        self.addCleanup(self.nothing_is_left)

    def nothing_is_left(self) -> None:
        self.recorder.end()
        self.assertEqual(self.recorder.clock.getDelayedCalls(), [])

    def watch(self, query: str = "device=front", tracks: int = 1) -> Client:
        client = self.recorder.connect()
        client.play(query, tracks)
        return client


class StartTests(LiveTestCase):
    def test_begins_with_the_newest_key_frame(self) -> None:
        """What came since it is sent at once, with parameter sets, then what comes."""
        stream = self.recorder.record("device=front")
        stream.group(5)
        sent = stream.group(3)
        client = self.watch()
        self.assertEqual(client.slices(), [*H264.parameter_sets, *sent])
        sent.append(stream.picture())
        sent += stream.group(2)
        self.assertEqual(client.pictures(), sent)
        numbers = [packet.sequence_number for packet in client.packets()]
        self.assertEqual(numbers, [(numbers[0] + n) & 0xFFFF for n in range(len(numbers))])

    def test_times_are_those_of_the_camera(self) -> None:
        """RTP-Info names the first picture; a report ties its time to the time of day."""
        stream = self.recorder.record("device=front")
        stream.group(3)
        first_us = stream.now_us - 2 * PICTURE_US
        client = self.recorder.connect()
        response = client.play("device=front")
        (info,) = parse_rtp_info(response.headers.get("RTP-Info"))
        packets = client.packets()
        self.assertEqual(
            (info.sequence_number, info.timestamp),
            (packets[0].sequence_number, packets[0].timestamp),
        )
        self.assertEqual(response.headers.get("Range"), "npt=now-")
        times = timestamps(packets)
        self.assertEqual([time - times[0] & 0xFFFFFFFF for time in times], [0, 3600, 7200])
        (report,) = client.sender_reports()
        self.assertEqual(report.ntp_64, ntp_from_utc_us(self.recorder.utc_us()))
        behind = times[0] - report.rtp_timestamp & 0xFFFFFFFF
        expected = (first_us - self.recorder.utc_us()) * 9 // 100
        self.assertAlmostEqual(behind, expected & 0xFFFFFFFF, delta=1)

    def test_reports_go_on(self) -> None:
        """One at once and one each 5 s, and none during a pause."""
        stream = self.recorder.record("device=front")
        stream.group(1)
        client = self.watch()
        self.assertEqual(len(client.sender_reports()), 1)
        for _ in range(2):
            self.recorder.clock.advance(5.0)
        self.assertEqual(len(client.sender_reports()), 3)
        client.request("PAUSE", client.url("device=front"))
        self.recorder.clock.advance(5.0)
        self.assertEqual(len(client.sender_reports()), 3)

    def test_pause(self) -> None:
        """Nothing is sent meanwhile; then it goes on with the newest key frame."""
        stream = self.recorder.record("device=front")
        sent = stream.group(2)
        client = self.watch()
        client.request("PAUSE", client.url("device=front"))
        stream.group(30)
        newest = stream.group(2)
        self.assertEqual(client.pictures(), sent)
        client.request("PLAY", client.url("device=front"), Range="npt=now-")
        self.assertEqual(client.pictures(), sent + newest)

    def test_a_stream_that_is_yet_to_begin(self) -> None:
        """DESCRIBE starts the default stream, and waits for its first picture."""
        client = self.recorder.connect()
        self.recorder.prototype = {"kinds": ("video", "audio")}
        with self.assertRaises(ValueError):  # no response yet
            client.request("DESCRIBE", client.url("device=front&video=1"))
        (stream,) = self.recorder.streams
        self.assertEqual(stream.calls, ["start"])
        self.assertIn("resolution=1920x1080", stream.request.sent_options)
        stream.group(1)
        stream.sound()
        (response,) = client.read()
        self.assertEqual(response.status, 200)
        self.assertEqual(response.body.count(b"\nm="), 2)

    def test_sound_that_does_not_come_is_not_waited_for(self) -> None:
        """One second after the first picture the description tells what there is."""
        self.recorder.prototype = {"kinds": ("video", "audio")}
        client = self.recorder.connect()
        with self.assertRaises(ValueError):
            client.request("DESCRIBE", client.url("device=front"))
        (stream,) = self.recorder.streams
        stream.group(1)
        self.assertEqual(client.read(), [])
        self.recorder.clock.pump([LOOK_SECONDS] * 5)
        (response,) = client.read()
        self.assertEqual(response.body.count(b"\nm="), 1)

    def test_a_stream_that_never_begins(self) -> None:
        """Is refused after a while, saying why; at once if the camera said no."""
        error = StreamError(ErrorKind.TIMEOUT, "no answer\r\nX: y\x80", 0)
        self.recorder.prototype = {"state": StreamState.WAITING, "error": error}
        client = self.recorder.connect()
        with self.assertRaises(ValueError):
            client.request("DESCRIBE", client.url("device=front"))
        looks = int(PATIENCE_SECONDS / LOOK_SECONDS)
        self.recorder.clock.pump([LOOK_SECONDS] * (looks - 1))
        self.assertEqual(client.read(), [])
        self.recorder.clock.pump([LOOK_SECONDS] * 2)
        (response,) = client.read()
        self.assertEqual((response.status, response.reason[-23:]), (503, "front: no answer??X: y?"))
        self.recorder.streams[0].state = StreamState.REFUSED
        self.assertEqual(client.request("DESCRIBE", client.url("device=front")).status, 503)

    def test_it_lingers(self) -> None:
        """DESCRIBE and SETUP find the stream that was started for them; then it ends."""
        self.recorder.prototype = {"kinds": ("video",)}
        client = self.recorder.connect()
        with self.assertRaises(ValueError):
            client.request("DESCRIBE", client.url("device=front"))
        (stream,) = self.recorder.streams
        stream.group(1)
        client.read()
        self.recorder.clock.advance(LINGER_SECONDS - 1)
        client.play("device=front")
        self.recorder.clock.advance(LINGER_SECONDS + 1)
        self.assertEqual((stream.calls, stream.urgent), (["start"], True))
        client.lose()
        self.assertFalse(stream.urgent)
        self.recorder.clock.advance(LINGER_SECONDS)
        self.assertEqual(stream.calls, ["start", "stop"])


class ChoiceTests(LiveTestCase):
    def described(self, query: str) -> Any:
        client = self.recorder.connect()
        return client.request("DESCRIBE", client.url(query))

    def test_a_stream_that_runs_is_shared(self) -> None:
        """Without options any stream of the device will do, best one that plays."""
        waiting = self.recorder.record("device=front&fps=5")
        waiting.state = StreamState.WAITING
        plays = self.recorder.record("device=front&fps=7", pre_buffer=True)
        plays.group(1)
        plays.sound()
        for query in ("device=front", "device=front&timestamp=5&unknown=1&video=1"):
            self.assertEqual(self.described(query).status, 200)
        self.assertEqual(len(self.recorder.streams), 2)

    def test_the_same_options_share_a_stream_with_a_pre_buffer(self) -> None:
        """A viewer who names the options of a recording sees its stream."""
        plays = self.recorder.record("device=front&fps=7", pre_buffer=True)
        plays.group(1)
        plays.sound()
        self.assertEqual(self.described("fps=7&device=front").status, 200)
        self.assertEqual(len(self.recorder.streams), 1)

    def test_other_options_are_another_stream(self) -> None:
        """They are sent to the camera as they were written, and nothing else is."""
        self.recorder.record("device=front").group(1)
        client = self.recorder.connect()
        query = "device=front&resolution=640x360&text=a%20b&event=off&timestamp=7&audio=1"
        with self.assertRaises(ValueError):
            client.request("DESCRIBE", client.url(query))
        sent = self.recorder.streams[1].request.sent_options
        self.assertIn("resolution=640x360&text=a%20b&video=1&audio=1", sent)
        self.assertNotIn("timestamp", sent)
        self.assertNotIn("event", sent)

    def test_too_many_different_streams(self) -> None:
        """One client cannot take all sessions of a camera; what runs may still be watched."""
        stream = self.recorder.record("device=front&fps=100")
        stream.group(1)
        for fps in range(MAX_STREAMS_OF_DEVICE):
            client = self.recorder.connect()
            with self.assertRaises(ValueError):
                client.request("DESCRIBE", client.url(f"device=front&fps={fps}"))
        self.assertEqual(self.described("device=front&fps=99").status, 503)
        self.assertEqual(self.described("device=front&fps=100").status, 200)
        self.recorder.clock.pump([LOOK_SECONDS] * 100)

    def test_sound_is_fetched_if_it_is_asked_for(self) -> None:
        """A stream without it is not enough then."""
        self.recorder.record("device=front").group(1)
        client = self.recorder.connect()
        with self.assertRaises(ValueError):
            client.request("DESCRIBE", client.url("device=front&audio=1"))
        self.assertTrue(self.recorder.streams[1].request.options.wants_audio)

    def test_tracks_are_chosen(self) -> None:
        """video=0 and audio=0 leave a track out; what is not there is 404."""
        self.recorder.prototype = {"kinds": ("video", "audio")}
        stream = self.recorder.record("device=front&audio=1")
        stream.group(1)
        stream.sound()
        for query, kinds in (
            ("device=front", [b"m=video", b"m=audio"]),
            ("device=front&audio=0", [b"m=video"]),
            ("device=front&video=0", [b"m=audio"]),
        ):
            body = self.described(query).body
            self.assertEqual([w for w in (b"m=video", b"m=audio") if w in body], kinds)
        self.assertEqual(self.described("device=front&video=0&audio=0").status, 404)
        yard = self.recorder.record("device=yard")
        yard.kinds = ("video",)
        yard.group(1)
        self.assertEqual(self.described("device=yard").status, 200)

    def test_what_there_is_not(self) -> None:
        """Unknown devices, none at all, other paths, recordings where there are none."""
        for query, words in (
            ("device=nobody", "no device 'nobody'"),
            ("", "name a device"),
            ("recordingid=2024", "no such recording"),
        ):
            response = self.described(query)
            self.assertEqual(response.status, 404)
            self.assertIn(words, response.reason)
        client = self.recorder.connect()
        self.assertEqual(client.request("DESCRIBE", "rtsp://h/other?device=front").status, 404)
        many = "&".join(f"overlays={number}" for number in range(100))
        self.assertEqual(self.described(f"device=front&{many}").status, 400)

    def test_recordings_are_for_others(self) -> None:
        """What names a recording goes to those who have them, at its own path too."""
        asked: list[str] = []

        class Playbacks:
            def open(self, url: Any) -> Any:
                asked.append(url.url)
                raise RequestRefused(410)

        self.recorder.end()
        self.recorder = Recorder(playbacks=Playbacks())
        client = self.recorder.connect()
        replay = "rtsp://h/onvif-media/record/play.amp?onvifreplayid=SD_2024"
        for url in (client.url("recordingid=%222024%22"), replay):
            self.assertEqual(client.request("DESCRIBE", url).status, 410)
        self.assertEqual(asked, [client.url("recordingid=%222024%22"), replay])


class RunTests(LiveTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.stream = self.recorder.record("device=front")
        self.stream.kinds = ("video",)

    def test_other_parameter_sets(self) -> None:
        """Are sent in band before the key frame that needs them."""
        self.stream.group(1)
        client = self.watch()
        sent = self.stream.picture(key=True, form=OTHER_H264)
        self.assertEqual(client.slices()[-3:], [*OTHER_H264.parameter_sets, sent])

    def test_what_was_described_no_longer_fits(self) -> None:
        """Another codec, or sound of another rate: a BYE, and the next DESCRIBE tells the new."""
        for form in (H265, replace(AAC, sample_rate=48000)):
            self.recorder.end()
            self.recorder = Recorder()
            self.recorder.prototype = {"kinds": ("video", "audio")}
            stream = self.recorder.record("device=yard&audio=1")
            stream.group(1)
            stream.sound()
            client = self.watch("device=yard&audio=1", tracks=2)
            track = 0 if form is H265 else 1
            stream.buffer.push(AccessUnit(track, 5, 5, True, b"\0\0\0\2\x28\1", form))
            self.assertEqual(client.byes(), [f"yard sends another {form.codec} now"])
            self.assertEqual(client.byes(3), client.byes())

    def test_the_camera_goes_and_comes_back(self) -> None:
        """Who watches waits, and goes on with the next key frame, at its time."""
        self.stream.group(2)
        client = self.watch()
        self.stream.buffer.interrupt(Gap(0, 1, GapReason.DISCONNECTED))
        self.recorder.clock.advance(AWAY_SECONDS - 1)
        sent = self.stream.group(1, step_us=30_000_000)
        self.assertEqual(client.pictures()[-1:], sent)
        first, *_, last = timestamps(client.packets())
        self.assertEqual(last - first & 0xFFFFFFFF, 30_040_000 * 9 // 100)
        self.assertEqual(client.byes(), [])

    def test_the_camera_stays_away(self) -> None:
        """Then who watches is told with a BYE behind a report."""
        self.stream.group(1)
        client = self.watch()
        self.stream.buffer.interrupt(Gap(0, 1, GapReason.DISCONNECTED))
        self.recorder.clock.advance(AWAY_SECONDS / 2)
        client.request("GET_PARAMETER", client.url("device=front"))
        self.recorder.clock.advance(AWAY_SECONDS / 2)
        self.assertEqual(client.byes(), ["front has sent nothing for 60 s"])
        self.assertFalse(self.stream.urgent)

    def test_the_camera_is_removed(self) -> None:
        """A BYE, and no PLAY after it; the next DESCRIBE does not know it."""
        self.stream.group(1)
        client = self.watch()
        del self.recorder.registry.cameras["front"]
        self.recorder.feeds.follow()
        self.assertEqual(client.byes(), ["front was removed"])
        self.assertEqual(client.request("PLAY", client.url("device=front")).status, 404)
        other = self.recorder.connect()
        self.assertEqual(other.request("DESCRIBE", other.url("device=front")).status, 404)

    def test_parameters(self) -> None:
        """Renew-Stream is understood; settings of an adjustable stream are 451."""
        self.stream.group(1)
        client = self.watch()
        url = client.url("device=front")
        self.assertEqual(client.request("SET_PARAMETER", url, b"Renew-Stream: yes\r\n").status, 200)
        for method in ("GET_PARAMETER", "SET_PARAMETER"):
            response = client.request(method, url, b"Adjustable-Stream-Settings\r\n")
            self.assertEqual(response.status, 451)

    def test_times_in_each_packet(self) -> None:
        """With onvifreplayext=1 each unit tells when it was taken, and if it is a key frame."""
        self.stream.group(2, size=2000)
        client = self.watch("device=front&onvifreplayext=1")
        packets = client.packets()
        raw = [data for channel, data in client.frames if channel == 0]
        extensions = [parse_replay(parse_extension(data)) for data in raw]
        assert all(extensions)
        taken = {e.ntp_64: e.clean_point for e in extensions if e is not None}
        first_us = self.stream.now_us - PICTURE_US
        expected = {ntp_from_utc_us(first_us): True, ntp_from_utc_us(self.stream.now_us): False}
        self.assertEqual(taken, expected)
        self.assertTrue(all(len(packet.payload) <= 1372 for packet in packets))
        self.assertEqual({e.cseq for e in extensions if e is not None}, {client.cseq})

    def test_an_error_of_one_viewer(self) -> None:
        """Ends that viewer; the others and the recording do not notice."""
        self.stream.group(1)
        broken, other = self.watch(), self.watch()

        def fail(*_: object) -> None:
            raise RuntimeError("on purpose")

        self.patch(broken.protocol, "write", fail)
        sent = self.stream.group(2)
        self.assertEqual(other.pictures()[-2:], sent)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)  # and its BYE

    def test_packets_are_made_once(self) -> None:
        """All who agree on the packet size share them."""
        made: list[int] = []
        packetize = packetizer_for(H264)
        assert packetize is not None

        def count(unit: Any, limit: int) -> Any:
            made.append(limit)
            return packetize(unit, limit)

        self.patch(shared_unit, "packetizer_for", lambda form: count)
        self.stream.group(3)
        clients = [self.watch() for _ in range(5)]
        self.stream.picture()
        self.assertEqual(made, [1388] * 4)
        for client in clients:
            self.assertEqual(len(client.pictures()), 4)
