"""From configuration to what the camera is sent, down to the request line."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.config import CameraConfig
from axis_nvr.errors import ConfigError
from axis_nvr.media.stream_options import StreamOptions
from axis_nvr.protocols.address import CertificateValidation, StreamProtocol
from axis_nvr.protocols.camera import make_dialogue
from axis_nvr.services.plans import check_camera, plan_stream
from axis_nvr.services.stream_plan import StreamPlan
from axis_nvr.services.stream_registry import StreamRequest
from axis_nvr.session.digest import Credentials
from axis_nvr.session.transports import TransportChoice
from axis_nvr.wire.rtsp import Headers, Response

PATH = "/axis-media/media.amp"
SENT = "videocodec=h264&fps=25&resolution=1920x1080&videokeyframeinterval=64&audio=0&video=1"


def plan(camera: CameraConfig, text: str, *, pre_buffer: bool = False) -> StreamPlan:
    return plan_stream(StreamRequest(camera, StreamOptions.parse(text), pre_buffer))


def request_lines(wanted: StreamPlan) -> list[str]:
    """What a camera reads first: the request lines of OPTIONS and DESCRIBE."""
    dialogue = make_dialogue(wanted.address, TransportChoice(), wanted.wants)
    dialogue.start(0.0)
    options = dialogue.take_output().decode()
    cseq = options.partition("CSeq: ")[2].split("\r\n")[0]
    headers = Headers([("CSeq", cseq), ("Public", "DESCRIBE, SETUP, PLAY, TEARDOWN")])
    dialogue.receive_message(Response(200, "OK", headers), 0.1)
    describe = dialogue.take_output().decode()
    return [text.split("\r\n")[0] for text in (options, describe)]


class PlanTests(SynchronousTestCase):
    def test_the_request_line_of_an_axis_camera(self) -> None:
        """The options reach the camera in the order given, the defaults behind them."""
        camera = CameraConfig("front", "192.168.0.90", username="root", password="pass")
        lines = request_lines(plan(camera, "device=front&videocodec=h264&fps=25"))
        url = f"rtsp://192.168.0.90{PATH}?{SENT}"
        self.assertEqual(lines[-1], f"DESCRIBE {url} RTSP/1.0")

    def test_with_a_pre_buffer(self) -> None:
        """The Zipstream modes are sent as fixed where they are absent."""
        camera = CameraConfig("front", "192.168.0.90", port=8554)
        lines = request_lines(plan(camera, "device=front&videocodec=h264&fps=25", pre_buffer=True))
        url = f"rtsp://192.168.0.90:8554{PATH}?{SENT}&videozgopmode=fixed&videozfpsmode=fixed"
        self.assertEqual(lines[-1], f"DESCRIBE {url} RTSP/1.0")

    def test_a_camera_given_by_url_is_sent_no_options(self) -> None:
        """The URL goes out as configured, whatever the options are."""
        camera = CameraConfig("yard", url="rtsp://192.168.0.91:554/live?channel=1")
        lines = request_lines(plan(camera, "device=yard&fps=5&resolution=640x360"))
        self.assertEqual(lines[-1], "DESCRIBE rtsp://192.168.0.91:554/live?channel=1 RTSP/1.0")

    def test_the_tracks_that_are_wanted(self) -> None:
        """`audio` and `video` choose tracks, of any camera."""
        camera = CameraConfig("yard", url="rtsp://192.168.0.91/live")
        wanted = plan(camera, "device=yard&audio=1&video=0")
        self.assertEqual((wanted.want_video, wanted.want_audio), (False, True))
        wanted = plan(camera, "device=yard")
        self.assertEqual((wanted.want_video, wanted.want_audio), (True, False))

    def test_how_it_is_reached(self) -> None:
        """Account, protocol and certificates are passed on; the account is not in the URL."""
        camera = CameraConfig(
            "front",
            "192.168.0.90",
            username="root",
            password="s3cret",
            protocol="rtsps",
            certvalidation="limited",
            ca=b"PEM",
            interface="10.0.0.1",
        )
        address = plan(camera, "device=front").address
        self.assertEqual(address.protocol, StreamProtocol.RTSPS)
        self.assertEqual(address.validation, CertificateValidation.LIMITED)
        self.assertEqual((address.ca, address.interface), (b"PEM", "10.0.0.1"))
        self.assertEqual(address.credentials, Credentials("root", "s3cret"))
        self.assertTrue(address.url.startswith("rtsps://192.168.0.90/"))
        self.assertNotIn("s3cret", repr(address))

    def test_what_can_never_connect_is_refused_at_the_start(self) -> None:
        """Validation without TLS, or without a CA, names the camera and the key."""
        for camera in (
            CameraConfig("front", "a", certvalidation="standard", ca=b"PEM"),
            CameraConfig("front", "a", certvalidation="standard", protocol="rtsps"),
        ):
            error = self.assertRaises(ConfigError, check_camera, camera)
            self.assertIn("[[camera]] 'front': certvalidation=standard", str(error))
        check_camera(CameraConfig("front", "a"))
