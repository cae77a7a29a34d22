"""A camera of a few lines for the tests of the dialogue: it answers requests as it is told."""

from collections.abc import Callable

from axis_nvr.session.dialogue import Dialogue
from axis_nvr.session.dialogue_events import Event
from axis_nvr.session.digest import Credentials
from axis_nvr.session.interleaved import InterleavedReader
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.session.transports import TransportChoice
from axis_nvr.session.wish import Wish
from axis_nvr.wire.rtsp import Request
from tests.wire.rtsp_messages import read_messages

URL = "rtsp://192.168.0.90/axis-media/media.amp?videocodec=h264"
BASE = "rtsp://192.168.0.90/axis-media/media.amp"

# After the SDP of an Axis camera; the last section is one that nobody understands (quirk 14).
SDP = b"""v=0\r
o=- 1188340656180883 1 IN IP4 192.168.0.90\r
s=Session streamed with GStreamer\r
t=0 0\r
a=control:rtsp://192.168.0.90:554/axis-media/media.amp?videocodec=h264\r
m=video 0 RTP/AVP 96\r
c=IN IP4 0.0.0.0\r
a=rtpmap:96 H264/90000\r
a=fmtp:96 packetization-mode=1;profile-level-id=4d0029;sprop-parameter-sets=Z00AKeKQ,aO48gA==\r
a=control:rtsp://192.168.0.90:554/axis-media/media.amp/stream=0?videocodec=h264\r
m=audio 0 RTP/AVP 0\r
c=IN IP4 0.0.0.0\r
a=control:rtsp://192.168.0.90:554/axis-media/media.amp/stream=1?videocodec=h264\r
m=application 0 RTP/AVP 99\r
a=rtpmap:99 vana/90000\r
a=control:rtsp://192.168.0.90:554/axis-media/media.amp/stream=2?videocodec=h264\r
"""
AGGREGATE = "rtsp://192.168.0.90:554/axis-media/media.amp?videocodec=h264"
PUBLIC = "OPTIONS, DESCRIBE, GET_PARAMETER, PAUSE, PLAY, SETUP, SET_PARAMETER, TEARDOWN"

#: Answers a request with a response without its CSeq, as text; "" is silence.
Answer = Callable[[Request], str]


def response(status: str, *headers: str, body: str = "") -> str:
    """Write a response; `CSeq` is put in by the camera."""
    lines = [f"RTSP/1.0 {status}", "CSeq: {cseq}", *headers]
    if body:
        lines.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join([*lines, "", body])


def transport_reply(request: Request) -> str:
    """Return the Transport of a request as an Axis camera completes it."""
    offered = request.headers.get("Transport")
    if "multicast" in offered:
        return f"{offered};destination=239.216.1.2;port=50000-50001;ttl=5"
    if "client_port" in offered:
        return f'{offered};server_port=50000-50001;ssrc=8F2C11D0;mode="PLAY"'
    return f'{offered};ssrc=8F2C11D0;mode="PLAY"'


class ScriptedCamera:
    """Answers as an Axis camera does, except where `answers` has something else for a method.

    An entry is a response, or a list of responses for one request after the other, the last of
    them for all that follow; None among them means the usual answer.
    """

    def __init__(self, **answers: str | list[str | None] | None) -> None:
        self.answers: dict[str, list[str | None]] = {
            method: answer if isinstance(answer, list) else [answer]
            for method, answer in answers.items()
        }
        self.sdp = SDP.decode()
        self.session = "Session: kt6D2PGchRHkcd1b;timeout=60"
        self.public = PUBLIC
        self.requests: list[Request] = []

    def answer(self, request: Request) -> bytes:
        """Return the bytes that answer a request."""
        self.requests.append(request)
        scripted = self.answers.get(request.method, [None])
        text = scripted[0] if len(scripted) == 1 else scripted.pop(0)
        if text is None:
            text = self.usual(request)
        return text.replace("{cseq}", request.headers.get("CSeq")).encode()

    def usual(self, request: Request) -> str:
        """Answer as an Axis camera does."""
        match request.method:
            case "OPTIONS":
                return response("200 OK", f"Public: {self.public}")
            case "DESCRIBE":
                headers = ("Content-Type: application/sdp", f"Content-Base: {BASE}/")
                return response("200 OK", *headers, body=self.sdp)
            case "SETUP":
                transport = f"Transport: {transport_reply(request)}"
                return response("200 OK", transport, self.session)
            case "PLAY":
                info = f"RTP-Info: url={BASE}/stream=0;seq=7;rtptime=9, url={BASE}/stream=1;seq=1"
                return response("200 OK", self.session, "Range: npt=now-", info)
        return response("200 OK", self.session)


class Conversation:
    """A dialogue and a camera, talking."""

    def __init__(
        self,
        camera: ScriptedCamera,
        transport: TransportChoice | None = None,
        url: str = URL,
        credentials: Credentials | None = None,
        want: Callable[[TrackDescription], bool] = lambda track: True,
        **options: object,
    ) -> None:
        self.camera = camera
        wish = Wish(
            transport or TransportChoice(),
            want,
            jitter=lambda: 0.0,
            make_cnonce=lambda: "c0ffee",
            **options,  # type: ignore[arg-type]
        )
        self.dialogue = Dialogue(url, credentials, wish)
        self.events: list[Event] = []
        self._from_camera = InterleavedReader(lambda channel, packet: None)

    def start(self, now: float = 0.0) -> "Conversation":
        """Begin, and talk until both wait."""
        self.dialogue.start(now)
        return self.talk(now)

    def talk(self, now: float) -> "Conversation":
        """Carry messages until both wait."""
        for _ in range(100):
            data = self.dialogue.take_output()
            self.events += self.dialogue.take_events()
            if not data:
                return self
            for request in read_messages(data):
                if isinstance(request, Request):
                    self.deliver(self.camera.answer(request), now)
        raise AssertionError("they talk for ever")

    def deliver(self, data: bytes, now: float) -> None:
        """Give bytes of the camera to the dialogue."""
        for message in self._from_camera.receive(data):
            self.dialogue.receive_message(message, now)
        self.events += self.dialogue.take_events()

    def pass_time(self, until: float) -> "Conversation":
        """Let time pass up to a moment, doing what is due on the way."""
        for _ in range(10000):
            due = self.dialogue.next_timeout()
            if due is None or due > until:
                return self
            self.dialogue.time_out(due)
            self.talk(due)
        raise AssertionError("something is due for ever")

    @property
    def methods(self) -> list[str]:
        """The methods that the camera was sent so far."""
        return [request.method for request in self.camera.requests]

    def request(self, method: str, number: int = 0) -> Request:
        """Return the nth request of a method."""
        return [request for request in self.camera.requests if request.method == method][number]

    def of_type(self, kind: type) -> list[Event]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]
