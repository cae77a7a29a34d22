"""How SRTP is agreed on: by RFC 4567 as GStreamer does, or by the client's key as ONVIF asks."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.dialogue_events import Playing, TrackSetUp
from axis_nvr.session.srtp_keys import MAX_KEYS, KeyMaker, answered_keys, offered_keys
from axis_nvr.wire.key_mgmt import build_attribute, build_key_mgmt, parse_key_mgmt
from axis_nvr.wire.mikey import CryptoSession, MasterKey, MikeyMessage
from axis_nvr.wire.rtsp import Request
from tests.session.scripted_camera import SDP, Conversation, ScriptedCamera, response

UTC_US = 1_700_000_000_000_000
KEYS = KeyMaker(0x1234, lambda: UTC_US)


def message(fill: int) -> MikeyMessage:
    """A key of a camera's."""
    master = MasterKey(bytes([fill]) * 16, bytes([fill]) * 14)
    return MikeyMessage(fill, (CryptoSession(0, 0xDEADBEEF, 3),), (master,))


def secured(profile: str, attribute: str = "") -> ScriptedCamera:
    """A camera whose description has a profile, and a line in its video section."""
    camera = ScriptedCamera()
    line = f"{attribute}\r\n" if attribute else ""
    camera.sdp = SDP.decode().replace("RTP/AVP", f"RTP/{profile}")
    camera.sdp = camera.sdp.replace("a=rtpmap:96 H264", f"{line}a=rtpmap:96 H264")
    return camera


class SetupTests(SynchronousTestCase):
    def played(self, camera: ScriptedCamera) -> tuple[Request, TrackSetUp]:
        """The SETUP of the video, and what came of it."""
        conversation = Conversation(camera, keys=KEYS).start()
        self.assertIsInstance(conversation.events[-1], Playing)
        event = conversation.of_type(TrackSetUp)[0]
        assert isinstance(event, TrackSetUp)
        return conversation.request("SETUP"), event

    def test_offered(self) -> None:
        """The camera's key is for its media, ours goes with SETUP and is for our reports."""
        for profile in ("SAVP", "SAVPF", "AVP"):
            offer = f"a=key-mgmt:{build_attribute(message(1))}"
            setup, event = self.played(secured(profile, offer))
            expected = "SAVPF" if profile == "SAVPF" else "SAVP"
            self.assertIn(f"RTP/{expected}/TCP;", setup.headers.get("Transport"))
            own = parse_key_mgmt(setup.headers.get("KeyMgmt"))
            self.assertEqual(own.keys[0].mki, b"")
            assert event.protection is not None
            self.assertEqual(event.protection.send.master, own.keys[0])
            camera_key, own_key = event.protection.receive
            self.assertEqual(camera_key.master, message(1).keys[0])
            self.assertEqual(camera_key.rocs, {0xDEADBEEF: 3})
            self.assertEqual(own_key, event.protection.send)

    def test_offered_for_all_tracks(self) -> None:
        """A key may stand before the first section, for all of them."""
        camera = secured("SAVP")
        line = f"a=key-mgmt:{build_attribute(message(2))}\r\n"
        camera.sdp = camera.sdp.replace("m=video", f"{line}m=video")
        _, event = self.played(camera)
        assert event.protection is not None
        self.assertEqual(event.protection.receive[0].master, message(2).keys[0])

    def test_not_offered(self) -> None:
        """A protected track without a key of the camera's gets ours, named as ONVIF asks."""
        setup, event = self.played(secured("SAVP"))
        own = parse_key_mgmt(setup.headers.get("KeyMgmt"))
        self.assertEqual(len(own.keys[0].mki), 4)
        assert event.protection is not None
        self.assertEqual([key.master for key in event.protection.receive], [own.keys[0]])

    def test_unreadable_offer(self) -> None:
        """A key that cannot be read is as good as none."""
        for value in ("mikey AAAA", "other AAAA", "mikey", "mikey \xe4"):
            setup, _ = self.played(secured("SAVP", f"a=key-mgmt:{value}"))
            self.assertEqual(len(parse_key_mgmt(setup.headers.get("KeyMgmt")).keys[0].mki), 4)

    def test_answered(self) -> None:
        """A key in the answer to SETUP is tried first."""
        camera = secured("SAVP")
        key = f"KeyMgmt: {build_key_mgmt(message(3), '')}"
        transport = "Transport: RTP/SAVP/TCP;unicast;interleaved={}"
        camera.answers["SETUP"] = [
            response("200 OK", transport.format(channels), camera.session, key)
            for channels in ("0-1", "2-3")
        ] + [None]
        _, event = self.played(camera)
        assert event.protection is not None
        self.assertEqual(event.protection.receive[0].master, message(3).keys[0])

    def test_plain(self) -> None:
        """Who asks for no protection gets no key."""
        setup, event = self.played(ScriptedCamera())
        self.assertNotIn("KeyMgmt", setup.headers)
        self.assertIsNone(event.protection)

    def test_key_not_shown(self) -> None:
        """A request with a key is shown without it."""
        setup, event = self.played(secured("SAVP"))
        value = setup.headers.get("KeyMgmt")
        self.assertNotIn(value[-40:-1], repr(setup))
        assert event.protection is not None
        self.assertNotIn(repr(event.protection.send.master.key), repr(event))


class KeyMakerTests(SynchronousTestCase):
    def test_every_key_is_new(self) -> None:
        """Keys, salts, names and bundles are never the same twice."""
        made = [KEYS.make(4) for _ in range(20)]
        for values in (
            {it.keys[0].key for it in made},
            {it.keys[0].salt for it in made},
            {it.keys[0].mki for it in made},
            {it.rand for it in made},
        ):
            self.assertEqual(len(values), len(made))

    def test_many_keys(self) -> None:
        """Keys beyond a limit are not tried."""
        line = ("key-mgmt", build_attribute(message(1)))
        self.assertEqual(len(offered_keys([line] * 20)), MAX_KEYS)
        self.assertEqual(answered_keys("nonsense"), ())
