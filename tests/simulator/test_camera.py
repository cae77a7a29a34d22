"""The virtual camera on the wire: what it describes, sends, refuses and tells."""

from itertools import pairwise
from urllib.parse import quote

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import ConfigError
from axis_nvr.media.units import Codec
from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.session.sequence import sequence_difference
from axis_nvr.session.tracks import describe_tracks
from axis_nvr.simulator.camera import CameraSettings
from axis_nvr.wire import h264, nal, ntp, rtcp
from axis_nvr.wire.rtp import RtpPacket
from axis_nvr.wire.rtsp_headers import parse_rtp_info
from axis_nvr.wire.sdp import parse_session
from tests.simulator.client import NOON, MemoryCamera, MemoryClient, frames_of


def intra(frame: list[RtpPacket]) -> bool:
    """Whether an H.264 frame begins with parameter sets."""
    return nal.h264_nal_type(frame[0].payload) == nal.H264NalType.SPS


class CameraTestCase(SynchronousTestCase):
    def assert_near(self, found: float, expected: float, delta: float) -> None:
        self.assertLessEqual(abs(found - expected), delta, f"{found} instead of {expected}")

    def setUp(self) -> None:
        self.memory = MemoryCamera()
        self.client = self.memory.connect()

    def status(self, query: str) -> tuple[int, str]:
        response = self.memory.connect().request("DESCRIBE", self.client.url(query))
        return response.status, response.reason


class DescriptionTests(CameraTestCase):
    def test_tracks_as_asked_for(self) -> None:
        """Video, sound and events stand in this order, each only if asked for."""
        for query, expected in (
            ("", [Codec.H264]),
            ("videocodec=h265&audio=1", [Codec.H265, Codec.AAC]),
            ("video=0&audio=1&audiocodec=g711", [Codec.PCMU]),
            ("video=0&audio=0&event=on", [Codec.ONVIF_METADATA]),
            ("audio=1&event=on", [Codec.H264, Codec.AAC, Codec.ONVIF_METADATA]),
        ):
            response = self.client.request("DESCRIBE", self.client.url(query))
            self.assertEqual(response.headers.get("Content-Type"), "application/sdp")
            base = response.headers.get("Content-Base")
            self.assertEqual(base, "rtsp://10.0.0.2:554/axis-media/media.amp/")
            tracks = describe_tracks(parse_session(response.body), base)
            self.assertEqual([track.codec for track in tracks], expected)

    def test_parameter_sets_in_the_description(self) -> None:
        """``sprop-parameter-sets`` and ``framerate`` tell resolution and rate asked for."""
        response = self.client.request("DESCRIBE", self.client.url("resolution=640x360&fps=5"))
        (track,) = describe_tracks(parse_session(response.body), "")
        sps = h264.parse_sps(nal.nal_units_from_sprop(track.fmtp["sprop-parameter-sets"])[0])
        self.assertEqual((sps.width, sps.height, sps.frame_rate), (640, 360, 5))
        self.assertEqual(track.frame_rate, 5)
        self.assertEqual(track.fmtp["profile-level-id"], "64001e")

    def test_what_it_cannot_do_is_refused_with_words(self) -> None:
        """400 names the argument and what would be possible; unknown arguments are ignored."""
        for query, words in (
            ("resolution=800x600", "resolution=800x600 not supported (supported: 1920x1080"),
            ("fps=61", "fps=61"),
            ("fps=x", "fps=x"),
            (
                "videokeyframeinterval=321",
                "videokeyframeinterval=321 not supported (supported: up to 320",
            ),
            ("videokeyframeinterval=0", "videokeyframeinterval=0"),
            ("videocodec=av1", "videocodec=av1 not supported (supported: h264, h265)"),
            ("audio=1&audiocodec=opus", "audiocodec=opus"),
            ("camera=2", "camera=2"),
            ("video=2", "video=2"),
            ("video=0", "neither video nor audio"),
            ("videomaxbitrate=4000", "videomaxbitrate without videobitratemode"),
            ("event=on&eventtopic=a%20b", "no level of a topic"),
            ("event=on&eventcontent=x", "not expected"),
            ("videobitratemode=cbr", "videobitratemode=cbr"),
        ):
            status, reason = self.status(query)
            self.assertEqual((status, words in reason), (400, True), f"{query}: {reason}")
        self.assertEqual(self.status("videozgopmode=fixed&nonsense=1&timestamp=5")[0], 200)
        self.assertEqual(self.status("videomaxbitrate=4000&videobitratemode=mbr")[0], 200)
        self.assertEqual(self.status("recordingid=20240101_000000_AAAA_ACCC8E000001")[0], 404)
        self.assertEqual(self.client.request("DESCRIBE", "rtsp://h/other.amp").status, 404)


class StreamTests(CameraTestCase):
    def test_the_frame_rate_is_that_of_the_clock(self) -> None:
        """25 pictures a second, 3600 ticks apart, and nothing but the first comes at once."""
        self.client.play("fps=25&resolution=640x360")
        self.assertEqual(len(frames_of(self.client.packets())), 0)
        self.memory.advance(2.0)
        frames = frames_of(self.client.packets())
        self.assert_near(len(frames), 50, 1)
        stamps = [frame[0].timestamp for frame in frames]
        steps = {(b - a) % 2**32 for a, b in pairwise(stamps)}
        self.assertEqual(steps, {3600})

    def test_play_tells_where_it_begins(self) -> None:
        """``RTP-Info`` has the first packet's number and time, ``Range`` says it is live."""
        response = self.client.play("resolution=640x360&audio=1", tracks=2)
        self.assertEqual(response.headers.get("Range"), "npt=now-")
        self.memory.advance(0.1)
        for info, channel in zip(
            parse_rtp_info(response.headers.get("RTP-Info")), (0, 2), strict=True
        ):
            first = self.client.packets(channel)[0]
            self.assertEqual(info.sequence_number, first.sequence_number)
            self.assertEqual(info.timestamp, first.timestamp)
            self.assertIn(f"stream={channel // 2}?resolution", info.url)

    def test_the_gop_is_as_long_as_asked_for(self) -> None:
        """Each Nth picture is intra, with parameter sets before it; ends bear the marker."""
        self.client.play("videokeyframeinterval=7&resolution=640x360&fps=50")
        self.memory.advance(1.0)
        frames = frames_of(self.client.packets())
        keys = [place for place, frame in enumerate(frames) if intra(frame)]
        self.assertEqual(keys, list(range(0, len(frames), 7)))
        for frame in frames:
            self.assertEqual([p.marker for p in frame], [*[False] * (len(frame) - 1), True])

    def test_longer_than_the_longest_gop(self) -> None:
        """Time and sequence go on where the pictures begin anew."""
        self.client.play("videokeyframeinterval=320&resolution=640x360&fps=60")
        self.memory.advance(6.0)
        packets = self.client.packets()
        frames = frames_of(packets)
        self.assertEqual([n for n, f in enumerate(frames) if intra(f)], [0, 320])
        numbers = [packet.sequence_number for packet in packets]
        for before, after in pairwise(numbers):
            self.assertEqual(sequence_difference(after, before), 1)

    def test_intra_only(self) -> None:
        """With an interval of 1 intra pictures follow each other, told apart by idr_pic_id."""
        self.client.play("videokeyframeinterval=1&resolution=640x360&fps=10")
        self.memory.advance(1.0)
        frames = frames_of(self.client.packets())
        self.assertTrue(all(intra(frame) for frame in frames))
        slices = [bytes(frame[2].payload[:8]) for frame in frames]
        self.assertEqual(len(set(slices)), 2)
        self.assertTrue(all(a != b for a, b in pairwise(slices)))

    def test_renew_stream(self) -> None:
        """``Renew-Stream: yes`` brings a key frame at once; other parameters 451."""
        self.client.play("videokeyframeinterval=300&resolution=640x360&fps=10")
        self.memory.advance(0.55)
        body = b"Renew-Stream: yes\r\n"
        self.assertEqual(self.client.request("SET_PARAMETER", self.client.url(), body).status, 200)
        self.memory.advance(0.1)
        self.assertTrue(intra(frames_of(self.client.packets())[-1]))
        wrong = self.client.request("GET_PARAMETER", self.client.url(), b"fps\r\n")
        self.assertEqual(wrong.status, 451)

    def test_sound_keeps_time_with_the_picture(self) -> None:
        """After ten seconds both tracks have sent as much media as time has gone by."""
        self.client.play("audio=1&resolution=640x360", tracks=2)
        self.memory.advance(10.0)
        for channel, rate in ((0, 90000), (2, 16000)):
            stamps = [packet.timestamp for packet in self.client.packets(channel)]
            self.assert_near((stamps[-1] - stamps[0]) % 2**32 / rate, 10.0, 0.1)

    def test_g711_goes_round(self) -> None:
        """The bundled sound loops without a seam in time."""
        self.client.play("video=0&audio=1&audiocodec=g711")
        self.memory.advance(11.0, step=0.02)
        packets = self.client.packets()
        self.assertEqual([packet.marker for packet in packets[:3]], [True, False, False])
        stamps = [packet.timestamp for packet in packets]
        self.assertEqual({(b - a) % 2**32 for a, b in pairwise(stamps)}, {160})
        self.assertEqual(bytes(packets[0].payload), bytes(packets[512].payload))

    def test_reports_tie_the_clocks(self) -> None:
        """A sender report comes before the first packet and then each five seconds."""
        self.client.play("resolution=640x360&fps=10")
        self.assertEqual([channel for channel, _ in self.client.frames], [1])
        self.memory.advance(10.5)
        reports = [r for r in self.client.reports() if isinstance(r, rtcp.SenderReport)]
        self.assertEqual(len(reports), 3)
        first = self.client.packets()[0]
        for report in reports:
            utc = ntp.utc_us_from_ntp(report.ntp_64) / 1e6
            media = ((report.rtp_timestamp - first.timestamp) % 2**32) / 90000
            self.assertAlmostEqual(utc, NOON + 1000.0 + media, places=3)

    def test_pause_and_play(self) -> None:
        """PAUSE stops at once; PLAY goes on with an intra picture, later by the pause."""
        self.client.play("resolution=640x360&fps=10&videokeyframeinterval=100")
        self.memory.advance(0.55)
        self.assertEqual(self.client.request("PAUSE", self.client.url()).status, 200)
        before = self.client.packets()
        self.memory.advance(5.0)
        self.assertEqual(len(self.client.packets()), len(before))
        self.assertEqual(self.client.request("PLAY", self.client.url()).status, 200)
        self.memory.advance(0.05)
        after = frames_of(self.client.packets()[len(before) :])
        self.assertTrue(intra(after[0]))
        self.assertAlmostEqual(
            (after[0][0].timestamp - before[0].timestamp) % 2**32 / 90000, 5.55, places=2
        )
        self.assertEqual(
            sequence_difference(after[0][0].sequence_number, before[-1].sequence_number), 1
        )

    def test_a_late_turn_moves_nothing(self) -> None:
        """A busy reactor delays frames, not their times; a long stop is not caught up."""
        self.client.play("resolution=640x360&fps=10")
        self.memory.clock.advance(0.5)
        self.assertEqual(len(frames_of(self.client.packets())), 6)
        self.memory.clock.advance(30.0)
        frames = frames_of(self.client.packets())
        self.assertLess(len(frames), 10)
        self.assert_near(
            (frames[-1][0].timestamp - frames[0][0].timestamp) % 2**32 / 90000, 30.5, 0.11
        )

    def test_each_client_has_its_own(self) -> None:
        """Two clients get streams of their own in the form each asked for."""
        other = self.memory.connect()
        self.client.play("fps=10&resolution=640x360")
        other.play("fps=20&resolution=1280x720")
        self.memory.advance(1.0)
        self.assert_near(len(frames_of(self.client.packets())), 10, 1)
        self.assert_near(len(frames_of(other.packets())), 20, 1)
        self.assertNotEqual(self.client.packets()[0].ssrc, other.packets()[0].ssrc)

    def test_blocksize_limits_packets(self) -> None:
        """``Blocksize`` makes packets smaller or, over TCP, larger."""
        for size, largest in ((300, 300), (64000, 64000)):
            client = self.memory.connect()
            url = client.url() + "/stream=0"
            response = client.request(
                "SETUP", url, Transport="RTP/AVP/TCP;interleaved=0-1", Blocksize=str(size)
            )
            client.session = response.headers.get("Session").partition(";")[0]
            client.request("PLAY", client.url())
            self.memory.advance(0.1)
            client.read()
            packets = [len(data) for channel, data in client.frames if channel == 0]
            self.assertLessEqual(max(packets), largest)
            self.assertEqual(len(frames_of(client.packets())[0]) == 3, size == 64000)


class SlowClientTests(CameraTestCase):
    def test_frames_are_skipped_and_what_arrives_decodes(self) -> None:
        """While the transport is full nothing is buffered; then pictures go on in order."""
        self.client.play("resolution=640x360&fps=10&videokeyframeinterval=100&audio=1", tracks=2)
        self.memory.advance(0.5)
        self.client.protocol.pauseProducing()
        before = len(self.client.packets())
        self.memory.advance(20.0)
        self.assertEqual(self.client.transport.value(), b"")
        self.assertEqual(self.client.transport.producerState, "paused")
        self.client.protocol.resumeProducing()
        self.assertEqual(self.client.transport.producerState, "producing")
        self.memory.advance(0.5)
        packets = self.client.packets()
        numbers = [packet.sequence_number for packet in packets]
        self.assertTrue(all((b - a) % 2**16 == 1 for a, b in pairwise(numbers)))
        self.assertGreater(
            (packets[before].timestamp - packets[before - 1].timestamp) % 2**32, 19 * 90000
        )
        self.assertFalse(any(intra(frame) for frame in frames_of(packets[before:])))
        (client,) = self.memory.camera.clients()
        self.assertIn("skipped", str(client))

    def test_events_wait_for_a_slow_client(self) -> None:
        """What happened while a client was slow is told when it takes more again."""
        self.client.play("video=0&event=on")
        self.client.protocol.pauseProducing()
        self.memory.camera.raise_motion(True)
        self.assertEqual(self.client.transport.value(), b"")
        self.client.protocol.resumeProducing()
        documents = [bytes(packet.payload) for packet in self.client.packets()]
        self.assertIn(b'Changed"', documents[-1])


class EventTests(CameraTestCase):
    def documents(self, client: MemoryClient, channel: int = 0) -> list[bytes]:
        return [b"".join(bytes(p.payload) for p in f) for f in frames_of(client.packets(channel))]

    def test_state_at_once_and_changes_as_they_happen(self) -> None:
        """First an empty document, then each state as Initialized, then Changed."""
        self.client.play("video=0&audio=0&event=on")
        packets = self.client.packets()
        self.assertTrue(all(packet.marker for packet in packets))
        texts = [bytes(packet.payload) for packet in packets]
        self.assertNotIn(b"tt:Event", texts[0])
        self.assertEqual([b"Initialized" in text for text in texts], [False, True, True, True])
        self.memory.camera.raise_motion(True)
        self.memory.camera.raise_motion(True)
        changes = [bytes(packet.payload) for packet in self.client.packets()[4:]]
        self.assertEqual(len(changes), 2)
        self.assertIn(b"VMD/Camera1ProfileANY</wsnt:Topic>", changes[1])
        self.assertIn(b'PropertyOperation="Changed"', changes[1])
        self.assertIn(b'<tt:SimpleItem Name="active" Value="1"/>', changes[1])

    def test_beside_video(self) -> None:
        """Events travel as the third track beside video and sound."""
        self.client.play("audio=1&event=on&resolution=640x360", tracks=3)
        self.memory.camera.raise_motion(True)
        self.assertEqual(len(self.client.packets(4)), 6)

    def test_filtered(self) -> None:
        """``eventtopic`` lets only what was asked for pass."""
        topic = "axis%3ACameraApplicationPlatform%2FVMD%2FCamera1ProfileANY"
        self.client.play(f"video=0&event=on&eventtopic={topic}")
        self.memory.camera.raise_motion(True)
        self.assertEqual(len(self.client.packets()), 3)

    def test_filtered_by_content(self) -> None:
        """``eventcontent`` lets only what says it pass."""
        content = quote('boolean(//SimpleItem[@Name="day" and @Value="true"])', safe="")
        self.client.play(f"video=0&event=on&eventcontent={content}")
        self.memory.camera.raise_motion(True)
        self.assertEqual(len(self.client.packets()), 2)

    def test_nobody_is_told_after_the_end(self) -> None:
        """A client that has gone is not told any more."""
        self.client.play("video=0&event=on")
        self.client.lose()
        self.memory.camera.raise_motion(True)
        self.assertEqual(len(self.client.packets()), 4)
        self.assertEqual(self.memory.clock.getDelayedCalls(), [])


class SessionTests(CameraTestCase):
    def test_the_session_limit(self) -> None:
        """One more than the limit is refused with 453 until one has gone."""
        self.memory = MemoryCamera(session_limit=1)
        client = self.memory.connect()
        client.play()
        other = self.memory.connect()
        transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
        self.assertEqual(other.request("SETUP", other.url(), Transport=transport).status, 453)
        client.lose()
        self.assertEqual(other.request("SETUP", other.url(), Transport=transport).status, 200)

    def test_silence_ends_it(self) -> None:
        """A client that says nothing for a minute is cut off; one that does is not."""
        self.client.play("fps=1&resolution=640x360")
        for _ in range(3):
            self.memory.advance(50.0, step=0.5)
            self.assertEqual(self.client.request("OPTIONS", self.client.url()).status, 200)
        self.memory.advance(30.0, step=0.5)
        self.client.protocol.dataReceived(b"$\1\0\4\x80\xc9\0\0")  # a receiver report
        self.memory.advance(59.0, step=0.5)
        self.assertFalse(self.client.transport.aborted)
        self.memory.advance(2.0, step=0.5)
        self.assertTrue(self.client.transport.aborted)
        self.assertEqual(len(self.memory.camera.server.sessions), 0)

    def test_an_idle_connection_is_closed(self) -> None:
        """A connection that never sets anything up does not stay."""
        self.memory.advance(61.0, step=1.0)
        self.assertTrue(self.client.transport.aborted)

    def test_the_end_leaves_nothing_behind(self) -> None:
        """After TEARDOWN and the end of the connection no timer runs."""
        self.client.play("audio=1&event=on&resolution=640x360", tracks=3)
        self.memory.advance(1.0)
        self.assertEqual(self.client.request("TEARDOWN", self.client.url()).status, 200)
        self.assertTrue(self.client.transport.disconnecting)
        self.client.lose()
        self.assertEqual(self.memory.clock.getDelayedCalls(), [])
        self.assertEqual(self.memory.camera.clients(), [])

    def test_tracks_and_transports_that_are_not(self) -> None:
        """No such track 404, no such transport 461, taken channels 461."""
        transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
        url = self.client.url()
        self.assertEqual(
            self.client.request("SETUP", f"{url}/stream=5", Transport=transport).status, 404
        )
        self.assertEqual(
            self.client.request("SETUP", url, Transport="RTP/AVP;multicast").status, 461
        )
        self.assertEqual(
            self.client.request("SETUP", url, Transport="RTP/SAVP/TCP;unicast").status, 461
        )
        self.assertEqual(len(self.memory.camera.server.sessions), 0)
        self.assertEqual(self.memory.camera.clients(), [])
        self.client.set_up("audio=1")
        second = "rtsp://10.0.0.2:554/axis-media/media.amp/stream=1?audio=1"
        self.assertEqual(self.client.request("SETUP", second, Transport=transport).status, 461)


class AccountTests(SynchronousTestCase):
    def test_digest(self) -> None:
        """With an account DESCRIBE is challenged, and the right password gets in."""
        memory = MemoryCamera(credentials=Credentials("root", "secret"), serial="00408C123456")
        client = memory.connect()
        response = client.request("DESCRIBE", client.url())
        self.assertEqual(response.status, 401)
        challenge = response.headers.get("WWW-Authenticate")
        self.assertTrue(challenge.startswith('Digest realm="AXIS_00408C123456", nonce="'))
        client.authenticator = Authenticator(Credentials("root", "secret"))
        client.authenticator.challenge([challenge])
        client.play("resolution=640x360")

    def test_settings_are_checked(self) -> None:
        """Settings that make no sense are refused by name; none shows the password."""
        for wrong in ({"serial": "xyz"}, {"session_limit": 0}):
            with self.assertRaises(ConfigError):
                CameraSettings(**wrong)
        shown = repr(CameraSettings(credentials=Credentials("root", "hunter2")))
        self.assertNotIn("hunter2", shown)
