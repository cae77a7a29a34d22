"""The server's side of RTSP through HTTP, cut at every offset and against our own client."""

import base64
import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.session.server.tunnel import (
    Base64Stream,
    TunnelOpened,
    TunnelOpening,
    acceptance,
    begins_with_http,
    refusal,
)
from axis_nvr.session.tunnel import Step, TunnelClient
from axis_nvr.wire.rtsp import MAX_HEAD_BYTES, Request


def allow(request: Request) -> None:
    """Let everybody pass."""


class OpeningTests(SynchronousTestCase):
    def test_told_from_rtsp(self) -> None:
        """``GET `` and ``POST `` are HTTP; GET_PARAMETER is not; less than that is not known."""
        self.assertIs(begins_with_http(b"GET /a"), True)
        self.assertIs(begins_with_http(b"POST /a"), True)
        self.assertIs(begins_with_http(b"GET_PARAMETER"), False)
        self.assertIs(begins_with_http(b"OPTIONS"), False)
        self.assertIs(begins_with_http(b"$\0"), False)
        for start in (b"", b"G", b"GET", b"POST"):
            self.assertIsNone(begins_with_http(start))

    def test_our_client_opens_both_ways(self) -> None:
        """Both requests of our own tunnel client are read, cut at any offset."""
        client = TunnelClient("rtsp://h/axis-media/media.amp?fps=5", "cookie", None)
        up = client.up_request() + client.send(b"OPTIONS")
        for head, down in ((client.down_request(), True), (up, False)):
            rest = head.partition(b"\r\n\r\n")[2]
            for cut in range(1, len(head) - len(rest)):
                opening = TunnelOpening(allow)
                self.assertIsNone(opening.receive(head[:cut]))
                self.assertEqual(opening.receive(head[cut:]), TunnelOpened("cookie", down, rest))
        self.assertEqual(client.receive_down(acceptance() + b"RTSP"), (Step.OPEN, b"RTSP"))

    def test_refused(self) -> None:
        """No cookie, no HTTP, an endless head, or a guard that says no."""

        def deny(request: Request) -> None:
            raise RequestRefused(401, headers=[("WWW-Authenticate", "Digest …".encode().hex())])

        for data, check, status in (
            (b"GET / HTTP/1.0\r\n\r\n", allow, 400),
            (b"GET / RTSP/1.0\r\n\r\n", allow, 400),
            (b"GET " + b"x" * MAX_HEAD_BYTES, allow, 400),
            (b"GET / HTTP/1.0\r\nx-sessioncookie: a\r\n\r\n", deny, 401),
        ):
            with self.assertRaises(RequestRefused) as caught:
                TunnelOpening(check).receive(data)
            self.assertEqual(caught.exception.status, status)
            self.assertTrue(refusal(caught.exception).startswith(b"HTTP/1.0 %d " % status))


class Base64Tests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.binary(max_size=30), max_size=6), st.integers(1, 17))
    def test_padded_pieces_cut_anywhere(self, pieces: list[bytes], size: int) -> None:
        """Pieces, each with its own padding and line ends, come out whole."""
        text = b"".join(base64.encodebytes(piece) for piece in pieces)
        stream = Base64Stream()
        found = b"".join(
            stream.feed(text[place : place + size]) for place in range(0, len(text), size)
        )
        self.assertEqual(found, b"".join(pieces))

    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=40))
    def test_anything(self, data: bytes) -> None:
        """Any bytes are base64 or a `WireError`."""
        with contextlib.suppress(WireError):
            self.assertLessEqual(len(Base64Stream().feed(data)), len(data))
