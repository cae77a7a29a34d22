"""One session with a camera, its channel and ports played by hand."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import PeerRefused, RemoteProtocolError
from axis_nvr.media.units import AccessUnit, UnitSink
from axis_nvr.protocols.address import CameraAddress, StreamProtocol
from axis_nvr.protocols.camera import first_of_each, redirected
from axis_nvr.protocols.failures import MediaMissing, NoAnswer
from axis_nvr.protocols.rtsp_client import CameraSession
from axis_nvr.services.liveness import SILENCE_SECONDS
from axis_nvr.session.dialogue import Dialogue
from axis_nvr.session.dialogue_events import Redirected
from axis_nvr.session.media import HOLD_SECONDS
from axis_nvr.session.srtp import SrtpKey, SrtpReceiver, SrtpSender, keys_of
from axis_nvr.session.srtp_keys import KeyMaker
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.session.transports import (
    Delivery,
    MulticastTransport,
    TransportChoice,
    UnicastTransport,
)
from axis_nvr.session.wish import Wish
from axis_nvr.wire.key_mgmt import parse_key_mgmt
from axis_nvr.wire.mikey import MasterKey
from axis_nvr.wire.rtcp import ReceiverReport, build_bye, parse_compound
from axis_nvr.wire.rtp import build_packet
from axis_nvr.wire.rtsp import Headers, Request, Response, encode
from tests.wire.rtsp_messages import read_messages

URL = "rtsp://192.0.2.1/stream"
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=x\r\nt=0 0\r\na=control:*\r\n"
    b"m=audio 0 RTP/AVP 0\r\na=control:track1\r\n"
)
BOTH = SDP + b"m=video 0 RTP/AVP 26\r\na=control:track2\r\n"
SSRC = 77


class FakeChannel:
    """A channel that keeps what is written."""

    hosts = ("192.0.2.9", "192.0.2.1")

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.raw = b""
        self.calls: list[str] = []
        self.gone: Callable[[], None] = lambda: None

    def write(self, data: bytes) -> None:
        if data[:1] == b"$":
            self.raw += data
        else:
            self.requests += [m for m in read_messages(data) if isinstance(m, Request)]

    def rest(self) -> None:
        self.calls.append("rest")

    def set_urgent(self, urgent: bool) -> None:
        self.calls.append(f"urgent {urgent}")

    def read_now(self) -> None:
        self.calls.append("read now")

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")

    def close(self) -> None:
        self.calls.append("close")
        self.gone()

    def abort(self) -> None:
        self.calls.append("abort")
        self.gone()


class FakePorts:
    """UDP ports that note what is done with them."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.warnings = ["small buffers"]

    def open(self, track: int, transport: Any, ssrc: int) -> None:
        self.calls.append(("open", track, transport))

    def set_urgent(self, urgent: bool) -> None:
        self.calls.append(("urgent", urgent))

    def read_now(self) -> None:
        self.calls.append(("read now",))

    def send_report(self, track: int, data: bytes) -> None:
        self.calls.append(("report", track, data))

    def close_spare(self) -> None:
        self.calls.append("close_spare")

    def close(self) -> None:
        self.calls.append("close")


class SessionCase(SynchronousTestCase):
    transport = TransportChoice()
    ports: FakePorts | None = None

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.units: list[AccessUnit] = []
        self.losses: list[Failure] = []
        self.channel = FakeChannel()
        self.deliver: UnitSink = self.units.extend
        self.session = CameraSession(
            self.clock,
            lambda units: self.deliver(units),  # noqa: PLW0108  # which may be exchanged
            self.losses.append,
            utc=self.clock.seconds,
            ssrc=SSRC,
        )
        self.channel.gone = lambda: self.session.channel_lost(Failure(ConnectionDone()))
        self.dialogue = Dialogue(URL, None, Wish(self.transport, lambda track: True))

    def start(self) -> Deferred[Any]:
        self.opening: Deferred[Any] = self.session.play(
            self.dialogue,
            self.channel,
            self.ports,  # type: ignore[arg-type]
        )
        return self.opening

    def answer(self, status: int = 200, body: bytes = b"", reason: str = "", **fields: str) -> None:
        """Answer the newest request."""
        request = self.channel.requests[-1]
        headers = Headers([("CSeq", request.headers.get("CSeq"))])
        for name, value in fields.items():
            headers.add(name.replace("_", "-"), value)
        self.session.received(encode(Response(status, reason, headers, body)))

    def play(self, sdp: bytes = SDP, *transports: str) -> None:
        """Have the camera play."""
        self.start()
        self.answer(Public="OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
        self.answer(body=sdp, Content_Type="application/sdp", Content_Base=URL + "/")
        for transport in transports or ("RTP/AVP/TCP;unicast;interleaved=0-1",):
            self.answer(Transport=transport, Session="12345678;timeout=60")
        self.answer()
        self.assertIsNone(self.successResultOf(self.opening))

    def packet(self, number: int) -> bytes:
        return build_packet(
            marker=False,
            payload_type=0,
            sequence_number=number,
            timestamp=160 * number,
            ssrc=5,
            payload=bytes(160),
        )

    def send_media(self, *numbers: int) -> None:
        for number in numbers:
            packet = self.packet(number)
            self.session.received(b"$\0" + len(packet).to_bytes(2, "big") + packet)

    def assert_silent(self) -> None:
        """Nothing more is planned."""
        self.assertEqual(self.clock.getDelayedCalls(), [])


class LifeTests(SessionCase):
    def test_playing(self) -> None:
        """The session opens when the camera plays, rests, and delivers what comes."""
        self.play()
        methods = [request.method for request in self.channel.requests]
        self.assertEqual(methods, ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
        self.assertEqual(self.channel.calls, ["rest"])
        self.assertEqual([track.kind for track in self.session.tracks], ["audio"])
        self.send_media(1, 2, 3)
        self.clock.advance(HOLD_SECONDS)
        self.assertEqual(len(self.units), 3)
        self.assertEqual(self.session.statistics()[0].packets, 3)

    def test_signs_of_life_and_reports(self) -> None:
        """Keep-alives and receiver reports go out in time, without anyone asking."""
        self.play()
        self.send_media(1)
        for n in range(2, 40):
            self.clock.advance(1)
            self.send_media(n)
            if self.channel.requests[-1].method == "GET_PARAMETER":
                self.answer()
        self.assertIn("GET_PARAMETER", [request.method for request in self.channel.requests])
        self.assertEqual(self.channel.raw[:2], b"$\1")
        report = parse_compound(self.channel.raw[4:])[0]
        assert isinstance(report, ReceiverReport)
        self.assertEqual((report.ssrc, report.blocks[0].ssrc), (SSRC, 5))
        self.assertGreater(self.channel.raw.count(b"$\1\0"), 5)

    def test_urgent(self) -> None:
        """Urgency goes to the channel, and so does what wants to be read now."""
        self.play()
        self.session.set_urgent(True)
        self.assertEqual(self.channel.calls[-1], "urgent True")
        self.session.read_now()
        self.assertEqual(self.channel.calls[-1], "read now")

    def test_close(self) -> None:
        """The camera is told; when the connection is gone the session is closed, once."""
        self.play()
        closed = self.session.close()
        self.assertEqual(self.channel.requests[-1].method, "TEARDOWN")
        self.assertNoResult(closed)
        self.channel.gone = lambda: None
        self.answer()
        self.assertEqual(self.channel.calls[-1], "close")
        self.assertNoResult(closed)
        self.session.channel_lost(Failure(ConnectionDone()))
        self.successResultOf(closed)
        self.successResultOf(self.session.close())
        self.assertEqual(self.losses, [])
        self.assert_silent()

    def test_close_unanswered(self) -> None:
        """A camera that does not answer TEARDOWN holds nobody up."""
        self.play()
        closed = self.session.close()
        self.clock.advance(2)
        self.assertEqual(self.channel.calls[-1], "close")
        self.session.channel_lost(Failure(ConnectionLost()))
        self.successResultOf(closed)
        self.assert_silent()

    def test_cancelled(self) -> None:
        """Cancelling the opening ends what was begun."""
        opening = self.start()
        self.answer()
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.assertEqual(self.channel.calls, ["abort"])
        self.assert_silent()

    def test_aborted_by_the_owner(self) -> None:
        """An owner that has enough is told its own reason, once the camera is told and gone."""
        self.play()
        self.channel.gone = lambda: None
        self.session.abort(Failure(MediaMissing("silence")))
        self.assertEqual(self.channel.requests[-1].method, "TEARDOWN")
        self.assertEqual(self.losses, [])
        self.session.channel_lost(Failure(ConnectionDone()))
        self.assertIsInstance(self.losses[0].value, MediaMissing)
        self.session.channel_lost(Failure(ConnectionDone()))
        self.assertEqual(len(self.losses), 1)
        self.assert_silent()


class ProtectedTests(SessionCase):
    """A camera that protects its media, by the key that we bring."""

    def setUp(self) -> None:
        super().setUp()
        keys = KeyMaker(SSRC, lambda: 0)
        self.dialogue = Dialogue(URL, None, Wish(self.transport, lambda track: True, keys=keys))

    def play_protected(self, key: SrtpKey | None = None) -> None:
        """Have it play, under our key or another one."""
        self.play(SDP.replace(b"AVP", b"SAVP"), "RTP/SAVP/TCP;unicast;interleaved=0-1")
        setup = next(it for it in self.channel.requests if it.method == "SETUP")
        (own,) = keys_of(parse_key_mgmt(setup.headers.get("KeyMgmt")))
        self.own, self.sender = own, SrtpSender(key or own)

    def packet(self, number: int) -> bytes:
        return self.sender.protect(super().packet(number))

    def test_playing(self) -> None:
        """Media is delivered, and reports go out under our key."""
        self.play_protected()
        for number in range(10):
            self.send_media(number)
            self.clock.advance(1)
        self.assertEqual(self.session.statistics()[0].packets, 10)
        self.assertEqual([bytes(unit.data) for unit in self.units], [bytes(160)] * 10)
        size = int.from_bytes(self.channel.raw[2:4], "big")
        report = SrtpReceiver([self.own]).unprotect_rtcp(self.channel.raw[4 : 4 + size])
        assert report is not None
        self.assertIsInstance(parse_compound(report)[0], ReceiverReport)
        self.assertEqual(self.session.warnings, ())

    def test_forged(self) -> None:
        """What is not authentic among what is, is dropped, and told as a warning."""
        self.play_protected()
        for number in range(20):
            self.send_media(number)
            self.session.received(b"$\0\0\x20" + bytes((0x80, 0)) + bytes(30))
            self.clock.advance(1)
        self.assertEqual(self.losses, [])
        words = "20 packets were not authentic and were dropped"
        self.assertEqual(self.session.warnings, (words,))

    def test_wrong_key(self) -> None:
        """A stream of which nothing is authentic is told as such, and does not look silent."""
        self.play_protected(SrtpKey(MasterKey(bytes(16), bytes(14))))
        for number in range(10):
            self.send_media(number)
            self.clock.advance(1)
        (loss,) = self.losses
        self.assertIsInstance(loss.value, MediaMissing)
        self.assertIn("media cannot be authenticated", str(loss.value))
        self.assertIn("packets of audio", str(loss.value))
        self.assertEqual(self.units, [])
        self.assertEqual(self.channel.requests[-1].method, "TEARDOWN")

    def test_wrong_key_is_told_before_silence(self) -> None:
        """It is told before the stream would be dropped as a silent one."""
        self.play_protected(SrtpKey(MasterKey(bytes(16), bytes(14))))
        number = 0
        while not self.losses and number < 100:
            self.send_media(number)
            self.clock.advance(0.5)
            number += 1
        self.assertLess(0.5 * number, SILENCE_SECONDS)


class FailureTests(SessionCase):
    def test_refused(self) -> None:
        """A refusal fails the opening, in the camera's words."""
        opening = self.start()
        self.answer()
        self.answer(400, reason="Resolution not supported")
        failure = self.failureResultOf(opening, PeerRefused)
        self.assertEqual(str(failure.value), "DESCRIBE refused: 400 Resolution not supported")
        self.assertEqual(self.channel.calls, ["abort"])
        self.assertEqual(self.losses, [])
        self.assert_silent()

    def test_nothing_wanted(self) -> None:
        """A camera without any track that is wanted has no media for us."""
        self.dialogue = Dialogue(URL, None, Wish(self.transport, lambda track: False))
        opening = self.start()
        self.answer()
        self.answer(body=SDP, Content_Type="application/sdp")
        failure = self.failureResultOf(opening, MediaMissing)
        self.assertIn("audio", str(failure.value))

    def test_no_answer(self) -> None:
        """A camera that does not answer is told from one that talks nonsense."""
        opening = self.start()
        self.clock.advance(15)
        failure = self.failureResultOf(opening, NoAnswer)
        self.assertIn("OPTIONS", str(failure.value))
        self.assert_silent()

    def test_nonsense(self) -> None:
        """What breaks the protocol ends the session."""
        opening = self.start()
        self.session.received(b"HTTP/1.0 200 OK\r\n\r\n")
        self.failureResultOf(opening, RemoteProtocolError)
        self.assertEqual(self.channel.calls, ["abort"])

    def test_the_connection_goes(self) -> None:
        """A lost connection fails the opening, or is the loss of the session."""
        opening = self.start()
        self.session.channel_lost(Failure(ConnectionLost()))
        self.failureResultOf(opening, ConnectionLost)
        self.assert_silent()
        self.setUp()
        self.play()
        self.session.channel_lost(Failure(ConnectionLost()))
        self.assertIsInstance(self.losses[0].value, ConnectionLost)
        self.assert_silent()

    def test_whole_frames_are_not_lost_with_it(self) -> None:
        """What had come whole when the connection went is delivered."""
        self.play()
        self.send_media(1, 2)
        self.session.channel_lost(Failure(ConnectionLost()))
        self.assertEqual(len(self.units), 2)

    def test_a_consumer_that_raises(self) -> None:
        """A bug above ends this session with the bug as reason; nothing gets to the channel."""
        self.play()

        def broken(units: Sequence[AccessUnit]) -> None:
            raise KeyError("bug")

        self.send_media(1)
        self.clock.advance(HOLD_SECONDS)
        self.deliver = broken
        self.send_media(2)
        self.assertIsInstance(self.losses[0].value, KeyError)
        self.send_media(3)
        self.assertEqual(len(self.losses), 1)

    def test_ended_by_the_camera(self) -> None:
        """A camera that ends the session itself loses it."""
        self.play()
        request = Request("TEARDOWN", URL, Headers([("CSeq", "1")]))
        self.session.received(encode(request))
        self.assertIsInstance(self.losses[0].value, RemoteProtocolError)

    def test_goodbye(self) -> None:
        """A goodbye to the only track ends the session."""
        self.play()
        self.send_media(1)
        bye = build_bye([5], "reboot")
        self.session.received(b"$\1" + len(bye).to_bytes(2, "big") + bye)
        self.clock.advance(5)
        self.assertIn("reboot", str(self.losses[0].value))

    def test_redirected(self) -> None:
        """A redirect ends this session in peace and tells where to go on."""
        opening = self.start()
        self.answer()
        self.answer(302, Location="rtsp://192.0.2.2/other")
        event = self.successResultOf(opening)
        assert isinstance(event, Redirected)
        self.assertEqual(event.url, "rtsp://192.0.2.2/other")
        self.assertEqual(self.channel.calls, ["close"])
        self.session.channel_lost(Failure(ConnectionDone()))
        self.assertEqual(self.losses, [])
        self.assert_silent()

    def test_one_track_refused(self) -> None:
        """A track that is refused is a warning; the others play."""
        self.start()
        self.answer()
        self.answer(body=BOTH, Content_Type="application/sdp", Content_Base=URL + "/")
        self.answer(404, reason="No sound")
        self.answer(Transport="RTP/AVP/TCP;unicast;interleaved=0-1", Session="12345678")
        self.answer()
        self.assertIsNone(self.successResultOf(self.opening))
        self.assertIn("No sound", self.session.warnings[0])


class UnicastTests(SessionCase):
    transport = TransportChoice(Delivery.UNICAST, ((4000, 4001),))

    def setUp(self) -> None:
        self.ports = FakePorts()
        super().setUp()

    def test_datagrams(self) -> None:
        """Ports are opened as agreed; what comes to them is delivered, reports go out by them."""
        assert self.ports is not None
        self.play(SDP, "RTP/AVP;unicast;client_port=4000-4001;server_port=50000-50001")
        expected = UnicastTransport((4000, 4001), (50000, 50001))
        self.assertEqual(self.ports.calls, [("open", 0, expected), "close_spare"])
        self.assertEqual(self.channel.calls, [])
        for number in range(1, 6):
            self.session.rtp_received(0, self.packet(number))
        self.session.drained()
        self.clock.advance(HOLD_SECONDS)
        self.assertEqual(len(self.units), 5)
        self.assertEqual([call[:2] for call in self.ports.calls[2:]], [("report", 0)])
        self.assertEqual(self.session.warnings, ("small buffers",))
        self.session.set_urgent(True)
        self.assertEqual(self.ports.calls[-1], ("urgent", True))
        self.session.read_now()
        self.assertEqual(self.ports.calls[-1], ("read now",))

    def test_a_hole_is_given_up_in_time(self) -> None:
        """A datagram that does not come holds up those behind it only for a while."""
        self.play(SDP, "RTP/AVP;unicast;client_port=4000-4001")
        self.session.rtp_received(0, self.packet(1))
        self.session.drained()
        self.clock.advance(HOLD_SECONDS)
        self.session.rtp_received(0, self.packet(3))
        self.session.drained()
        self.clock.advance(0.5)
        self.assertEqual(len(self.units), 2)
        self.assertEqual(self.session.statistics()[0].lost, 1)

    def test_the_ports_go_with_the_session(self) -> None:
        """Closed or lost, the ports are given back and what still comes is ignored."""
        assert self.ports is not None
        self.play(SDP, "RTP/AVP;unicast;client_port=4000-4001")
        self.session.channel_lost(Failure(ConnectionLost()))
        self.assertEqual(self.ports.calls[-1], "close")
        self.session.rtp_received(0, self.packet(1))
        self.session.rtcp_received(0, b"")
        self.session.drained()
        self.assertEqual(self.units, [])
        self.assert_silent()


class MulticastTests(SessionCase):
    transport = TransportChoice(Delivery.MULTICAST)

    def setUp(self) -> None:
        self.ports = FakePorts()
        super().setUp()

    def test_group(self) -> None:
        """The group that the camera answers with is joined."""
        assert self.ports is not None
        self.play(SDP, "RTP/AVP;multicast;destination=239.1.2.3;port=5000-5001;ttl=4")
        expected = MulticastTransport("239.1.2.3", (5000, 5001), 4)
        self.assertEqual(self.ports.calls[0], ("open", 0, expected))


class OpeningTests(SynchronousTestCase):
    def test_first_of_each(self) -> None:
        """Of several tracks of a kind the first that is wanted is fetched."""
        tracks = [
            TrackDescription(n, kind, None, 96, 90000, 1, {}, "")
            for n, kind in enumerate(["audio", "video", "video", "audio"])
        ]
        choose = first_of_each(lambda track: track.index != 1)
        for _ in range(2):
            self.assertEqual([choose(track) for track in tracks], [True, False, True, False])

    def test_redirects(self) -> None:
        """A redirect may lead into TLS, but not out of it, and not out of a tunnel."""
        plain = CameraAddress(URL)
        self.assertEqual(redirected(plain, "rtsp://x/").url, "rtsp://x/")
        self.assertIs(redirected(plain, "rtsps://x/").protocol, StreamProtocol.RTSPS)
        for protocol in (StreamProtocol.RTSPS, StreamProtocol.RTSPH, StreamProtocol.RTSPSH):
            with self.assertRaises(RemoteProtocolError):
                redirected(CameraAddress(URL, protocol), "rtsp://x/")
