"""The dialogue against cameras that answer nonsense: nothing but the named errors comes out."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import RemoteProtocolError, WireError
from axis_nvr.session.digest import Credentials
from axis_nvr.session.transports import Delivery, TransportChoice
from axis_nvr.wire.rtsp import Request
from tests.session.scripted_camera import Conversation, ScriptedCamera

CHOICES = [
    TransportChoice(),
    TransportChoice(Delivery.UNICAST, ((5000, 5001),)),
    TransportChoice(Delivery.MULTICAST),
]
HEADERS = [
    "Session: ;",
    "Session: x;timeout=0",
    "Transport: RTP/AVP/TCP;interleaved=0-0",
    "Transport: ,",
    "WWW-Authenticate: Digest",
    'WWW-Authenticate: Digest realm="\xff", nonce="→", qop="auth-int", stale=true',
    "WWW-Authenticate: Basic",
    "Location: rtsp://192.168.0.90/x",
    "Location: \xff",
    "Public: ,,,",
    "RTP-Info: url=;seq",
    "Content-Base: rtsp://rtsp://",
    "CSeq: 99999999999999999999",
    "CSeq: 2",
]
STATUSES = [100, 200, 200, 200, 200, 301, 305, 400, 401, 403, 404, 454, 461, 463, 551, 999]
SECTIONS = ["v=0", "m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", "a=control:\xff x", "m="]


class NonsenseCamera(ScriptedCamera):
    """A camera that answers as Hypothesis likes."""

    def __init__(self, data: st.DataObject) -> None:
        super().__init__()
        self._data = data

    def usual(self, request: Request) -> str:
        draw = self._data.draw
        if draw(st.integers(0, 2)):
            return super().usual(request)
        if not draw(st.integers(0, 5)):
            return ""
        status = draw(st.sampled_from(STATUSES))
        headers = draw(st.lists(st.sampled_from(HEADERS), max_size=3))
        body = "\n".join(draw(st.lists(st.sampled_from(SECTIONS), max_size=4)))
        lines = [f"RTSP/1.0 {status}", *headers, "CSeq: {cseq}", f"Content-Length: {len(body)}"]
        push = f"\r\n\r\n{body}" + draw(
            st.sampled_from(["", "", "OPTIONS * RTSP/1.0\n\n", "TEARDOWN * RTSP/1.0\n\n"])
        )
        return "\r\n".join(lines) + push


class FuzzTests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None)
    @given(st.data())
    def test_nonsense(self, data: st.DataObject) -> None:
        """Whatever a camera answers, the dialogue ends, plays or raises one of two errors."""
        camera = NonsenseCamera(data)
        choice = data.draw(st.sampled_from(CHOICES))
        conversation = Conversation(camera, choice, credentials=Credentials("ö", "hemmelig"))
        try:
            conversation.start().pass_time(200.0)
            conversation.dialogue.teardown(200.0)
            conversation.talk(200.0).pass_time(300.0)
        except (RemoteProtocolError, WireError) as error:
            self.assertNotIn("hemmelig", str(error))
            return
        self.assertTrue(conversation.dialogue.over)
        self.assertIsNone(conversation.dialogue.next_timeout())
        self.assertNotIn("hemmelig", repr(conversation.events))
