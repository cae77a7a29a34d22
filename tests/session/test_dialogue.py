"""The dialogue with a camera as it should be: from OPTIONS to TEARDOWN, over each transport."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import RemoteProtocolError
from axis_nvr.session.dialogue_events import Ended, Paused, Playing, TracksDescribed, TrackSetUp
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.session.transports import (
    Delivery,
    InterleavedTransport,
    MulticastTransport,
    TransportChoice,
    UnicastTransport,
)
from axis_nvr.wire.rtsp_headers import RtpInfo
from tests.session.scripted_camera import AGGREGATE, BASE, URL, Conversation, ScriptedCamera

UNICAST = TransportChoice(Delivery.UNICAST, ((5000, 5001), (5002, 5003)))
MULTICAST = TransportChoice(Delivery.MULTICAST)


class DialogueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.camera = ScriptedCamera()

    def transports(self, conversation: Conversation) -> list[object]:
        return [e.transport for e in conversation.events if isinstance(e, TrackSetUp)]

    def test_sequence(self) -> None:
        """OPTIONS, DESCRIBE, SETUP for each track that is understood, PLAY: in this order."""
        conversation = Conversation(self.camera).start()
        self.assertEqual(conversation.methods, ["OPTIONS", "DESCRIBE", "SETUP", "SETUP", "PLAY"])
        self.assertEqual(
            [request.uri for request in self.camera.requests],
            [
                URL,
                URL,
                AGGREGATE.replace("media.amp", "media.amp/stream=0"),
                AGGREGATE.replace("media.amp", "media.amp/stream=1"),
                AGGREGATE,
            ],
        )
        self.assertEqual(
            [type(event) for event in conversation.events],
            [TracksDescribed, TrackSetUp, TrackSetUp, Playing],
        )
        self.assertTrue(conversation.dialogue.playing)
        play = conversation.request("PLAY")
        self.assertEqual(play.headers.get("Range"), "npt=0.000-")
        self.assertEqual(play.headers.get("Session"), "kt6D2PGchRHkcd1b")
        self.assertEqual(conversation.request("DESCRIBE").headers.get("Accept"), "application/sdp")

    def test_interleaved(self) -> None:
        """Over TCP each track gets two channels."""
        conversation = Conversation(self.camera).start()
        self.assertEqual(
            self.transports(conversation),
            [InterleavedTransport(0, 1, 0x8F2C11D0), InterleavedTransport(2, 3, 0x8F2C11D0)],
        )
        self.assertEqual(
            conversation.request("SETUP").headers.get("Transport"),
            "RTP/AVP/TCP;unicast;interleaved=0-1",
        )

    def test_unicast(self) -> None:
        """Over UDP each track gets the next pair of our ports; there must be enough."""
        conversation = Conversation(self.camera, UNICAST).start()
        self.assertEqual(
            self.transports(conversation),
            [
                UnicastTransport((5000, 5001), (50000, 50001), "", 0x8F2C11D0),
                UnicastTransport((5002, 5003), (50000, 50001), "", 0x8F2C11D0),
            ],
        )
        self.assertEqual(
            conversation.request("SETUP").headers.get("Transport"),
            "RTP/AVP;unicast;client_port=5000-5001",
        )

    def test_multicast(self) -> None:
        """The camera tells the group, its ports and how far it reaches."""
        conversation = Conversation(
            self.camera, MULTICAST, want=lambda t: t.kind == "video"
        ).start()
        self.assertEqual(
            self.transports(conversation), [MulticastTransport("239.216.1.2", (50000, 50001), 5)]
        )
        self.assertEqual(
            conversation.request("SETUP").headers.get("Transport"), "RTP/AVP;multicast"
        )

    def test_only_what_is_wanted(self) -> None:
        """Tracks that nobody wants are not set up."""
        conversation = Conversation(self.camera, want=lambda track: track.kind == "audio").start()
        self.assertEqual(conversation.methods, ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
        self.assertIn("stream=1", conversation.request("SETUP").uri)

    def test_rtp_info(self) -> None:
        """RTP-Info is handed on as a hint, however it is spelled (quirks 20 and 21)."""
        conversation = Conversation(self.camera).start()
        (playing,) = conversation.of_type(Playing)
        self.assertEqual(
            playing,
            Playing(
                (RtpInfo(f"{BASE}/stream=0", 7, 9), RtpInfo(f"{BASE}/stream=1", 1, None)),
                "npt=now-",
            ),
        )

    def test_nothing_after_playing_until_half_the_timeout(self) -> None:
        """The next thing to happen is a sign of life."""
        conversation = Conversation(self.camera).start(now=1000.0)
        self.assertEqual(conversation.dialogue.next_timeout(), 1030.0)

    def test_signs_of_life_of_a_session_of_events(self) -> None:
        """They come more often where neither pictures nor sound were set up."""
        self.camera.sdp = self.camera.sdp.replace("vana", "vnd.onvif.metadata")
        for kinds, expected in (({"application"}, 1010.0), ({"application", "audio"}, 1030.0)):

            def want(track: TrackDescription, kinds: set[str] = kinds) -> bool:
                return track.kind in kinds

            conversation = Conversation(self.camera, want=want).start(now=1000.0)
            self.assertEqual(conversation.dialogue.next_timeout(), expected)

    def test_pause_and_play(self) -> None:
        """A stream can be stopped and go on, or begin elsewhere."""
        conversation = Conversation(self.camera).start()
        conversation.dialogue.pause(1.0)
        conversation.talk(1.0)
        self.assertEqual(conversation.events[-1], Paused())
        self.assertFalse(conversation.dialogue.playing)
        conversation.dialogue.play(2.0, "clock=20240131T120000Z-")
        conversation.talk(2.0)
        self.assertIsInstance(conversation.events[-1], Playing)
        self.assertEqual(
            conversation.request("PLAY", 1).headers.get("Range"), "clock=20240131T120000Z-"
        )
        conversation.dialogue.pause(3.0)
        conversation.talk(3.0).dialogue.play(4.0)
        conversation.talk(4.0)
        self.assertNotIn("Range", conversation.request("PLAY", 2).headers)

    def test_require(self) -> None:
        """Feature tags go out with every request that may need them."""
        conversation = Conversation(self.camera, require=("onvif-replay",)).start()
        for method in ("DESCRIBE", "SETUP", "PLAY"):
            self.assertEqual(conversation.request(method).headers.get("Require"), "onvif-replay")
        self.assertNotIn("Require", conversation.request("OPTIONS").headers)

    def test_letters_of_a_url(self) -> None:
        """What may not stand in a request line is escaped, all else is left as it is."""
        conversation = Conversation(self.camera, url="rtsp://h/yard ö?a={1}|%20&b='x'").start()
        self.assertEqual(
            conversation.request("DESCRIBE").uri, "rtsp://h/yard%20%C3%B6?a={1}|%20&b='x'"
        )


class TeardownTests(SynchronousTestCase):
    def test_agreed(self) -> None:
        """TEARDOWN names session and presentation, and its answer is the end."""
        conversation = Conversation(ScriptedCamera()).start()
        conversation.dialogue.teardown(1.0)
        conversation.talk(1.0)
        request = conversation.request("TEARDOWN")
        self.assertEqual(
            (request.uri, request.headers.get("Session")), (AGGREGATE, "kt6D2PGchRHkcd1b")
        )
        self.assertIsInstance(conversation.events[-1], Ended)
        self.assertTrue(conversation.dialogue.over)
        self.assertIsNone(conversation.dialogue.next_timeout())

    def test_refused_or_silent(self) -> None:
        """A camera that refuses it, or says nothing for two seconds, does not hold us up."""
        for answer in ("RTSP/1.0 454 x\r\nCSeq: {cseq}\r\n\r\n", ""):
            conversation = Conversation(ScriptedCamera(TEARDOWN=answer)).start()
            conversation.dialogue.teardown(1.0)
            conversation.talk(1.0).pass_time(3.0)
            self.assertEqual(conversation.events[-1], Ended("torn down"))
            self.assertIsNone(conversation.dialogue.next_timeout())

    def test_before_there_is_a_session(self) -> None:
        """Before SETUP there is nothing to tear down."""
        conversation = Conversation(ScriptedCamera(DESCRIBE="")).start()
        conversation.dialogue.teardown(1.0)
        conversation.talk(1.0)
        self.assertEqual(conversation.events, [Ended("torn down")])
        self.assertNotIn("TEARDOWN", conversation.methods)

    def test_in_the_middle_of_something(self) -> None:
        """What was in flight does not matter any more, nor does its late answer."""
        camera = ScriptedCamera(PLAY="", TEARDOWN="")
        conversation = Conversation(camera).start()
        conversation.dialogue.teardown(1.0)
        conversation.talk(1.0)
        play = conversation.request("PLAY").headers.get("CSeq")
        conversation.deliver(f"RTSP/1.0 500 No\r\nCSeq: {play}\r\n\r\n".encode(), 2.0)
        conversation.pass_time(60.0)
        self.assertEqual(conversation.events[-1], Ended("torn down"))

    def test_twice(self) -> None:
        """Asking again changes nothing."""
        conversation = Conversation(ScriptedCamera()).start()
        for _ in range(2):
            conversation.dialogue.teardown(1.0)
        conversation.talk(1.0).dialogue.teardown(2.0)
        conversation.talk(2.0)
        self.assertEqual(conversation.methods.count("TEARDOWN"), 1)
        self.assertEqual(len(conversation.of_type(Ended)), 1)


class SilenceTests(SynchronousTestCase):
    def test_no_answer(self) -> None:
        """A camera that falls silent before it plays has broken the protocol."""
        for method in ("OPTIONS", "DESCRIBE", "SETUP", "PLAY"):
            conversation = Conversation(ScriptedCamera(**{method: ""})).start(now=10.0)
            self.assertEqual(conversation.dialogue.next_timeout(), 25.0)
            error = self.assertRaises(RemoteProtocolError, conversation.pass_time, 25.0)
            self.assertIn(method, str(error))
