"""The oddities of real cameras in the dialogue. Numbers are those of the quirk list."""

import itertools

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import RemoteProtocolError
from axis_nvr.session.dialogue_events import (
    Ended,
    Playing,
    Redirected,
    Refused,
    TrackRefused,
    TrackSetUp,
)
from axis_nvr.session.digest import Credentials
from axis_nvr.session.refusal import RefusalKind
from axis_nvr.session.srtp_keys import KeyMaker
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.session.transports import Delivery, InterleavedTransport, TransportChoice
from axis_nvr.wire.key_mgmt import parse_key_mgmt
from tests.session.scripted_camera import BASE, SDP, URL, Conversation, ScriptedCamera, response

ROOT = Credentials("root", "hemmelig")
AXIS = 'WWW-Authenticate: Digest realm="AXIS_ACCC8E012345", nonce="{}", stale=FALSE'
CHALLENGE = response("401 Unauthorized", AXIS.format("n1"))

KEYS = KeyMaker(0x1234, lambda: 1_700_000_000_000_000)


def is_video(track: TrackDescription) -> bool:
    return track.kind == "video"


class QuirkCase(SynchronousTestCase):
    def refusal(self, conversation: Conversation) -> Refused:
        """The refusal that ended a conversation."""
        event = conversation.events[-1]
        assert isinstance(event, Refused), conversation.events
        self.assertTrue(conversation.dialogue.over)
        self.assertIsNone(conversation.dialogue.next_timeout())
        return event

    def plays(self, conversation: Conversation) -> None:
        self.assertIsInstance(conversation.events[-1], Playing)


class KeepAliveTests(QuirkCase):
    def after_an_hour(self, camera: ScriptedCamera) -> Conversation:
        conversation = Conversation(camera, credentials=ROOT).start()
        self.plays(conversation)
        conversation.pass_time(3600.0)
        return conversation

    def test_ignored_get_parameter(self) -> None:
        """Quirk 1, GW Security GW4089IP: GET_PARAMETER never is the only sign of life."""
        methods = self.after_an_hour(ScriptedCamera()).methods[5:]
        self.assertEqual(methods[:4], ["GET_PARAMETER", "OPTIONS"] * 2)
        self.assertEqual(len(methods), 240)

    def test_get_parameter_refused(self) -> None:
        """Quirk 2: a camera that answers GET_PARAMETER with 454 is kept alive by OPTIONS."""
        camera = ScriptedCamera(GET_PARAMETER=response("454 Session Not Found"))
        conversation = self.after_an_hour(camera)
        self.assertEqual(conversation.methods.count("GET_PARAMETER"), 1)
        self.assertEqual(conversation.methods.count("SET_PARAMETER"), 0)
        self.assertEqual(conversation.methods.count("OPTIONS"), 121)
        self.plays(conversation)

    def test_options_only(self) -> None:
        """Quirk 2, HIPCAM: with nothing else listed, OPTIONS it is."""
        camera = ScriptedCamera()
        camera.public = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"
        self.assertEqual(set(self.after_an_hour(camera).methods[5:]), {"OPTIONS"})

    def test_session_on_options(self) -> None:
        """Quirk 3, live555 proxy: OPTIONS as a sign of life names the session."""
        conversation = self.after_an_hour(ScriptedCamera())
        request = conversation.request("OPTIONS", 1)
        self.assertEqual(request.headers.get("Session"), "kt6D2PGchRHkcd1b")

    def test_never_answered(self) -> None:
        """Quirk 4: a camera that never answers signs of life goes on playing.

        Requests that wait are forgotten, so that they do not pile up.
        """
        usual = ScriptedCamera()
        first = response("200 OK", f"Public: {usual.public}")
        camera = ScriptedCamera(GET_PARAMETER="", OPTIONS=[first, ""])
        conversation = self.after_an_hour(camera)
        self.plays(conversation)
        self.assertGreater(conversation.methods.count("OPTIONS"), 60)

    def test_nonce_rotates(self) -> None:
        """Quirk 5, Axis M5525: a 401 in the running session is answered and nobody notices."""
        camera = ScriptedCamera(
            DESCRIBE=[CHALLENGE, None],
            GET_PARAMETER=[None, None, response("401 Unauthorized", AXIS.format("n2")), None],
        )
        conversation = Conversation(camera, credentials=ROOT).start()
        events = len(conversation.events)
        conversation.pass_time(120.0)
        self.assertEqual(len(conversation.events), events)
        answers = [
            request.headers.get("Authorization")
            for request in camera.requests
            if request.method == "GET_PARAMETER"
        ]
        nonces = ["n2" if 'nonce="n2"' in answer else "n1" for answer in answers]
        self.assertEqual(nonces, ["n1", "n1", "n1", "n2", "n2"])

    def test_password_changed(self) -> None:
        """Credentials refused in a running session end the signs of life, not the stream."""
        camera = ScriptedCamera(DESCRIBE=[CHALLENGE, None], GET_PARAMETER=[None, CHALLENGE])
        conversation = self.after_an_hour(camera)
        self.plays(conversation)
        self.assertEqual(conversation.methods.count("GET_PARAMETER"), 3)
        self.assertIsNone(conversation.dialogue.next_timeout())

    def test_session_lost(self) -> None:
        """454 to every method: the session is gone, and there is nothing to tear down."""
        lost = response("454 Session Not Found")
        camera = ScriptedCamera(GET_PARAMETER=lost, OPTIONS=[None, lost], SET_PARAMETER=lost)
        conversation = Conversation(camera).start().pass_time(31.0)
        refusal = self.refusal(conversation)
        self.assertEqual(refusal.kind, RefusalKind.SESSION_LOST)
        self.assertEqual(refusal.error.status, 454)
        self.assertNotIn("TEARDOWN", conversation.methods)

    def test_short_timeouts(self) -> None:
        """A session of ten seconds gets a sign each five."""
        camera = ScriptedCamera()
        camera.session = "Session: a;timeout=10"
        conversation = Conversation(camera).start()
        self.assertEqual(conversation.dialogue.next_timeout(), 5.0)


class SetupTests(QuirkCase):
    def channels(self, *answers: str) -> list[InterleavedTransport]:
        """What is in force after two SETUPs answered with these Transport headers."""
        texts: list[str | None] = [
            response("200 OK", f"Transport: {answer}", "Session: a") for answer in answers
        ]
        conversation = Conversation(ScriptedCamera(SETUP=texts)).start()
        events = [event for event in conversation.events if isinstance(event, TrackSetUp)]
        return [e.transport for e in events if isinstance(e.transport, InterleavedTransport)]

    def test_channels_changed(self) -> None:
        """Quirk 8: whatever the camera says about channels, each track has its own."""
        tcp = "RTP/AVP/TCP;unicast"
        for answers, expected in (
            ((f"{tcp};interleaved=2-3", f"{tcp};interleaved=0-1"), [(2, 3), (0, 1)]),
            ((f"{tcp};interleaved=1-2", f"{tcp};interleaved=3-4"), [(1, 2), (3, 4)]),
            ((f"{tcp};interleaved=0-1", f"{tcp};interleaved=0-1"), [(0, 1), (2, 3)]),
            ((f"{tcp};interleaved=0", f"{tcp};interleaved=1"), [(0, None), (1, 2)]),
            ((tcp, tcp), [(0, 1), (2, 3)]),
            (("RTP/AVP;unicast;interleaved=0-1", "RTP/AVP"), [(0, 1), (2, 3)]),  # Escam Q6
        ):
            found = [(t.rtp_channel, t.rtcp_channel) for t in self.channels(*answers)]
            self.assertEqual(found, expected, answers)

    def test_session_changes_between_setups(self) -> None:
        """Quirk 9, H264DVR 1.0: the session of the first SETUP is played."""
        tcp = "Transport: RTP/AVP/TCP;unicast;interleaved={}"
        camera = ScriptedCamera(
            SETUP=[
                response("200 OK", tcp.format("0-1"), "Session: 11111111"),
                response("200 OK", tcp.format("2-3"), "Session: 22222222"),
            ]
        )
        conversation = Conversation(camera).start()
        self.plays(conversation)
        self.assertEqual(conversation.request("PLAY").headers.get("Session"), "11111111")

    def test_unknown_media(self) -> None:
        """Quirk 14: media of a kind that nobody understands is not set up."""
        conversation = Conversation(ScriptedCamera()).start()
        self.assertEqual(conversation.methods.count("SETUP"), 2)
        self.plays(conversation)

    def test_audio_refused(self) -> None:
        """A camera that refuses audio is recorded without."""
        camera = ScriptedCamera(SETUP=[None, response("461 Unsupported Transport")])
        conversation = Conversation(camera).start()
        self.plays(conversation)
        (refused,) = conversation.of_type(TrackRefused)
        assert isinstance(refused, TrackRefused)
        self.assertEqual(refused.track.kind, "audio")
        self.assertEqual(refused.kind, RefusalKind.UNSUPPORTED_TRANSPORT)
        self.assertEqual(len(conversation.of_type(TrackSetUp)), 1)

    def test_video_refused(self) -> None:
        """Without the video that was wanted there is nothing to record, and the rest is freed."""
        camera = ScriptedCamera(SETUP=[response("461 Unsupported Transport"), None])
        conversation = Conversation(camera).start()
        refusal = self.refusal(conversation)
        self.assertEqual(refusal.kind, RefusalKind.UNSUPPORTED_TRANSPORT)
        self.assertEqual(conversation.methods[-1], "TEARDOWN")
        self.assertEqual(conversation.of_type(TrackSetUp), [])

    def test_no_ports_for_audio(self) -> None:
        """With one pair of ports there is video only."""
        choice = TransportChoice(Delivery.UNICAST, ((5000, 5001),))
        conversation = Conversation(ScriptedCamera(), choice).start()
        self.plays(conversation)
        self.assertEqual(len(conversation.of_type(TrackRefused)), 1)

    def test_srtp(self) -> None:
        """Quirk 19, Axis with SRTP: 463 is answered with a key of ours that has a name, once."""
        refused = response("463 Key Management Failure")
        conversation = Conversation(ScriptedCamera(SETUP=[refused, None]), keys=KEYS).start()
        self.plays(conversation)
        setups = [r.headers for r in conversation.camera.requests if r.method == "SETUP"]
        self.assertEqual(
            [headers.get("Transport").split(";")[0] for headers in setups],
            ["RTP/AVP/TCP", "RTP/SAVP/TCP", "RTP/SAVP/TCP"],  # audio is asked for like this at once
        )
        self.assertNotIn("KeyMgmt", setups[0])
        keys = [parse_key_mgmt(headers.get("KeyMgmt")) for headers in setups[1:]]
        for message, event in zip(keys, conversation.of_type(TrackSetUp), strict=True):
            assert isinstance(event, TrackSetUp)
            assert event.protection is not None
            self.assertEqual(message.sessions[0].ssrc, 0x1234)
            self.assertEqual(len(message.keys[0].mki), 4)
            self.assertEqual(event.protection.send.master, message.keys[0])
            self.assertEqual(event.protection.receive, (event.protection.send,))
        self.assertNotEqual(keys[0].keys, keys[1].keys)

    def test_srtp_refused(self) -> None:
        """Quirk 19: a second 463, and one where we have no keys, are told in words that help."""
        for keys, count in ((KEYS, 2), (None, 1)):
            camera = ScriptedCamera(SETUP=response("463 Key Management Failure"))
            conversation = Conversation(camera, keys=keys, want=is_video).start()
            refusal = self.refusal(conversation)
            self.assertEqual(refusal.kind, RefusalKind.ENCRYPTION_REQUIRED)
            self.assertEqual(
                str(refusal.error),
                "SETUP refused: 463 the camera demands SRTP and does not take our key"
                " (Key Management Failure)",
            )
            self.assertEqual(conversation.methods.count("SETUP"), count)

    def test_no_session_left(self) -> None:
        """Quirk 10: a camera with no session left is told apart, and has nothing to free."""
        for status in ("453 Not Enough Bandwidth", "503 Service Unavailable"):
            camera = ScriptedCamera(SETUP=response(status))
            conversation = Conversation(camera).start()
            self.assertEqual(self.refusal(conversation).kind, RefusalKind.BUSY)
            self.assertNotIn("TEARDOWN", conversation.methods)

    def test_missing_server_port(self) -> None:
        """Quirk 22: a camera that does not tell its ports is played all the same."""
        answer = response(
            "200 OK", "Transport: RTP/AVP;unicast;client_port=5000-5001", "Session: a"
        )
        choice = TransportChoice(Delivery.UNICAST, ((5000, 5001), (5002, 5003)))
        self.plays(Conversation(ScriptedCamera(SETUP=answer), choice).start())


class StartTests(QuirkCase):
    def test_companion(self) -> None:
        """Quirk 17, AXIS Companion: a 403 is answered with ``Axis-Orig-Sw=true``, once."""
        camera = ScriptedCamera(DESCRIBE=[response("403 Forbidden"), None])
        conversation = Conversation(camera).start()
        self.plays(conversation)
        self.assertEqual(conversation.request("DESCRIBE", 1).uri, f"{URL}&Axis-Orig-Sw=true")
        camera = ScriptedCamera(DESCRIBE=response("403 Forbidden"))
        conversation = Conversation(camera).start()
        self.assertEqual(self.refusal(conversation).kind, RefusalKind.FORBIDDEN)
        self.assertEqual(conversation.methods.count("DESCRIBE"), 2)
        conversation = Conversation(camera, url="rtsp://192.168.0.91/live").start()
        self.assertEqual(self.refusal(conversation).error.status, 403)

    def test_range_refused(self) -> None:
        """Quirk 22: a 400 to PLAY is answered with a PLAY without Range, once."""
        for status in ("400 Bad Request", "457 Invalid Range"):
            conversation = Conversation(ScriptedCamera(PLAY=[response(status), None])).start()
            self.plays(conversation)
            self.assertNotIn("Range", conversation.request("PLAY", 1).headers)
            conversation = Conversation(ScriptedCamera(PLAY=response(status))).start()
            self.refusal(conversation)
            self.assertEqual(conversation.methods.count("PLAY"), 2)

    def test_options_refused(self) -> None:
        """A camera that does not know OPTIONS is kept alive by GET_PARAMETER."""
        camera = ScriptedCamera(OPTIONS=response("501 Not Implemented"))
        conversation = Conversation(camera).start()
        self.plays(conversation)
        conversation.pass_time(60.0)
        self.assertEqual(set(conversation.methods[5:]), {"GET_PARAMETER"})

    def test_user_agent(self) -> None:
        """Quirk 22: every request says who we are."""
        conversation = Conversation(ScriptedCamera(), user_agent="axis_nvr/1.0").start()
        for request in conversation.camera.requests:
            self.assertEqual(request.headers.get("User-Agent"), "axis_nvr/1.0")

    def test_spellings(self) -> None:
        """Quirk 22: ``Cseq: 5 `` and a status line without words are answers."""
        camera = ScriptedCamera(
            OPTIONS="RTSP/1.0 200\r\nCseq: {cseq} \r\nPublic:OPTIONS,DESCRIBE\r\n\r\n",
            PLAY="RTSP/1.0 200 \ncseq:{cseq}\n\n",
        )
        self.plays(Conversation(camera).start())

    def test_rtp_info_of_axis(self) -> None:
        """Quirks 20 and 21: a space after the comma, and nonsense numbers, hurt nobody."""
        info = f"RTP-Info: url={BASE}/stream=0;seq=0;rtptime=0, url=x;seq=abc;rtptime=99999999999;"
        conversation = Conversation(ScriptedCamera(PLAY=response("200 OK", info))).start()
        event = conversation.events[-1]
        assert isinstance(event, Playing)
        self.assertEqual([entry.url for entry in event.rtp_info], [f"{BASE}/stream=0", "x"])
        self.assertIsNone(event.rtp_info[1].sequence_number)

    def test_require_refused(self) -> None:
        """551 says which option was not known."""
        camera = ScriptedCamera(
            DESCRIBE=response("551 Option not supported", "Unsupported: onvif-replay")
        )
        refusal = self.refusal(Conversation(camera, require=("onvif-replay",)).start())
        self.assertEqual(refusal.kind, RefusalKind.UNSUPPORTED_OPTION)
        self.assertIn("onvif-replay", refusal.error.reason)

    def test_nothing_wanted(self) -> None:
        """A camera that offers nothing of use is told as that, with what it offers."""
        refusal = self.refusal(Conversation(ScriptedCamera(), want=lambda track: False).start())
        self.assertEqual(refusal.kind, RefusalKind.NOTHING_WANTED)
        self.assertIn("application, audio, video", str(refusal.error))

    def test_no_description(self) -> None:
        """A DESCRIBE without a description breaks the protocol."""
        camera = ScriptedCamera(DESCRIBE=response("200 OK"))
        self.assertRaises(RemoteProtocolError, Conversation(camera).start)

    def test_every_status_everywhere(self) -> None:
        """Any refusal at any step ends in one event, and in no exception."""
        statuses = (300, 304, 400, 402, 403, 404, 405, 408, 415, 451, 453, 454, 455, 459, 461, 500)
        for method, status in itertools.product(("DESCRIBE", "SETUP", "PLAY"), statuses):
            camera = ScriptedCamera(**{method: response(f"{status} No")})
            conversation = Conversation(camera).start()
            self.assertEqual(self.refusal(conversation).error.status, status)
            self.assertEqual(self.refusal(conversation).error.method, method)


class CredentialTests(QuirkCase):
    def test_wrong(self) -> None:
        """Wrong credentials are tried once, told as such, and never shown."""
        camera = ScriptedCamera(DESCRIBE=CHALLENGE)
        conversation = Conversation(camera, credentials=ROOT).start()
        refusal = self.refusal(conversation)
        self.assertEqual(refusal.kind, RefusalKind.WRONG_CREDENTIALS)
        self.assertEqual(conversation.methods, ["OPTIONS", "DESCRIBE", "DESCRIBE"])
        for shown in (repr(refusal), str(refusal.error), repr(conversation.dialogue)):
            self.assertNotIn("hemmelig", shown)

    def test_wrong_at_options(self) -> None:
        """A camera that asks for credentials at OPTIONS already is asked once, too."""
        camera = ScriptedCamera(OPTIONS=CHALLENGE)
        conversation = Conversation(camera, credentials=ROOT).start()
        self.assertEqual(self.refusal(conversation).kind, RefusalKind.WRONG_CREDENTIALS)
        self.assertEqual(conversation.methods, ["OPTIONS", "OPTIONS"])

    def test_wrong_at_setup(self) -> None:
        """Credentials that do not do for SETUP are not tried for the next track."""
        camera = ScriptedCamera(DESCRIBE=[CHALLENGE, None], SETUP=CHALLENGE)
        conversation = Conversation(camera, credentials=ROOT).start()
        self.assertEqual(self.refusal(conversation).kind, RefusalKind.WRONG_CREDENTIALS)
        self.assertEqual(conversation.methods.count("SETUP"), 2)

    def test_none(self) -> None:
        """A camera that asks although there are none is told apart."""
        conversation = Conversation(ScriptedCamera(DESCRIBE=CHALLENGE)).start()
        self.assertEqual(self.refusal(conversation).kind, RefusalKind.NO_CREDENTIALS)

    def test_in_the_url(self) -> None:
        """Credentials of a URL are used, and appear neither in requests nor in what is shown."""
        camera = ScriptedCamera(DESCRIBE=[CHALLENGE, None])
        conversation = Conversation(camera, url=URL.replace("//", "//root:hemmelig@")).start()
        self.plays(conversation)
        self.assertIn(
            'username="root"', conversation.request("DESCRIBE", 1).headers.get("Authorization")
        )
        for request in camera.requests:
            self.assertNotIn("hemmelig", request.uri)
        self.assertNotIn("hemmelig", repr(conversation.dialogue))


class RedirectTests(QuirkCase):
    def redirected(
        self, location: str, status: str = "302 Moved", url: str = URL, **options: object
    ) -> Conversation:
        camera = ScriptedCamera(
            DESCRIBE=[CHALLENGE, response(status, f"Location: {location}"), None]
        )
        return Conversation(camera, url=url, credentials=ROOT, **options).start()  # type: ignore[arg-type]

    def test_same_host(self) -> None:
        """On the same host credentials go along, to whatever port and path."""
        for status in ("301 a", "302 b", "303 c", "305 d", "307 e"):
            conversation = self.redirected("rtsp://192.168.0.90:8554/axis-media/x", status)
            (event,) = conversation.of_type(Redirected)
            assert isinstance(event, Redirected)
            self.assertEqual(event.credentials, ROOT)
            self.assertTrue(conversation.dialogue.over)

    def test_other_host(self) -> None:
        """Another host gets no credentials, nor does what is shown of the event hold them."""
        conversation = self.redirected("rtsp://192.168.0.91/live")
        self.assertEqual(conversation.events[-1], Redirected("rtsp://192.168.0.91/live", None))
        self.assertNotIn("hemmelig", repr(conversation.events))

    def test_successor(self) -> None:
        """The next dialogue goes on at the new place, with what was wanted of the first."""
        conversation = self.redirected("rtsp://192.168.0.90/axis-media/other")
        following = Conversation(ScriptedCamera())
        following.dialogue = conversation.dialogue.successor()
        following.start()
        self.plays(following)
        self.assertEqual(following.request("DESCRIBE").uri, "rtsp://192.168.0.90/axis-media/other")
        self.assertRaises(RemoteProtocolError, following.dialogue.successor)

    def test_limit(self) -> None:
        """A ring of redirects is left after `MAX_REDIRECTS`."""
        camera = ScriptedCamera(DESCRIBE=response("302 Moved", f"Location: {URL}"))
        dialogue = Conversation(camera).start().dialogue
        for _ in range(4):
            conversation = Conversation(camera)
            conversation.dialogue = dialogue.successor()
            self.assertIsInstance(conversation.start().events[-1], Redirected)
            dialogue = conversation.dialogue
        conversation = Conversation(camera)
        conversation.dialogue = dialogue.successor()
        refusal = self.refusal(conversation.start())
        self.assertEqual(refusal.kind, RefusalKind.NOT_FOLLOWED)

    def test_never_out_of_tls(self) -> None:
        """From TLS to plain text nothing is followed."""
        conversation = self.redirected(URL, url=URL.replace("rtsp:", "rtsps:"))
        self.assertEqual(self.refusal(conversation).kind, RefusalKind.NOT_FOLLOWED)

    def test_nowhere(self) -> None:
        """A redirect that names no place is a refusal."""
        for location in ("", "http://192.168.0.90/"):
            self.assertEqual(self.refusal(self.redirected(location)).kind, RefusalKind.NOT_FOLLOWED)

    def test_in_the_middle(self) -> None:
        """A redirect of SETUP frees what was set up."""
        camera = ScriptedCamera(SETUP=[None, response("302 Moved", "Location: rtsp://b/")])
        conversation = Conversation(camera).start()
        self.assertIsInstance(conversation.events[-1], Redirected)
        self.assertEqual(conversation.methods[-1], "TEARDOWN")


class ServerEndsTests(QuirkCase):
    def after(self, text: str) -> Conversation:
        conversation = Conversation(ScriptedCamera()).start()
        conversation.deliver(text.encode(), 1.0)
        return conversation

    def test_teardown(self) -> None:
        """A camera that ends the session is answered, and nothing more is sent."""
        conversation = self.after(f"TEARDOWN {URL} RTSP/1.0\r\nCSeq: 9\r\n\r\n")
        self.assertEqual(conversation.events[-1], Ended("TEARDOWN by the server"))
        self.assertIn(b"RTSP/1.0 200 OK\r\nCSeq: 9\r\n", conversation.dialogue.take_output())
        self.assertIsNone(conversation.dialogue.next_timeout())

    def test_redirect(self) -> None:
        """A camera that sends us elsewhere is followed there."""
        text = f"REDIRECT {URL} RTSP/1.0\r\nCSeq: 9\r\nLocation: rtsp://192.168.0.90/b\r\n\r\n"
        self.assertEqual(self.after(text).events[-1], Redirected("rtsp://192.168.0.90/b", None))

    def test_unknown(self) -> None:
        """What we do not know is answered, and the stream goes on."""
        conversation = self.after(f"ANNOUNCE {URL} RTSP/1.0\r\nCSeq: 9\r\n\r\n")
        self.plays(conversation)
        self.assertIn(b"RTSP/1.0 501 ", conversation.dialogue.take_output())


class DescriptionTests(QuirkCase):
    def test_relative_control(self) -> None:
        """Controls are joined to Content-Base, and the presentation is that itself."""
        camera = ScriptedCamera()
        camera.sdp = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\n"
        conversation = Conversation(camera).start()
        self.assertEqual(conversation.request("SETUP").uri, f"{BASE}/trackID=1")
        self.assertEqual(conversation.request("PLAY").uri, f"{BASE}/")

    def test_multicast_of_the_description(self) -> None:
        """Group and port that the answer leaves out come from the description."""
        camera = ScriptedCamera(
            SETUP=response("200 OK", "Transport: RTP/AVP;multicast", "Session: a")
        )
        camera.sdp = SDP.decode().replace("c=IN IP4 0.0.0.0", "c=IN IP4 239.1.2.3/127")
        camera.sdp = camera.sdp.replace("m=video 0", "m=video 5004")
        choice = TransportChoice(Delivery.MULTICAST)
        conversation = Conversation(
            camera, choice, want=lambda track: track.kind == "video"
        ).start()
        self.plays(conversation)
        self.assertIn(
            "group='239.1.2.3', ports=(5004, 5005)", repr(conversation.of_type(TrackSetUp))
        )
