"""RTSP over WebSocket: who gets in, what goes through, and who does not keep up."""

from typing import Any

from axis_nvr.protocols.rtsp_server import RtspServerFactory
from axis_nvr.session.server.presentation_url import PresentationUrl
from axis_nvr.session.websocket import CLOSE_SECONDS
from axis_nvr.vapix.websocket.rtsp import PATH, RtspOverWebSocket
from tests.protocols.rtsp_serving import TCP, UDP, URL, Presentation
from tests.vapix.sockets import SocketTestCase


class One:
    """Whatever the URL, the same presentation."""

    def __init__(self, presentation: Presentation) -> None:
        self._presentation = presentation

    def open(self, url: PresentationUrl) -> Presentation:
        return self._presentation


class RtspTests(SocketTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.calls: list[str] = []
        self.presentation = Presentation(self.calls)
        self.tokens = self.house.gatekeeper.tokens
        self.server = RtspServerFactory(self.clock, One(self.presentation))
        self.serve(RtspOverWebSocket(self.server, self.tokens).endpoint())

    def enter(self, subprotocol: str = "binary") -> None:
        head = self.open(PATH, "vera", subprotocols=[subprotocol])
        self.assertIn(f"Sec-WebSocket-Protocol: {subprotocol}", head)

    def ask(self, method: str, *headers: str, url: str = URL) -> str:
        lines = [f"{method} {url} RTSP/1.0", "CSeq: 1", *headers, "", ""]
        self.client.send("\r\n".join(lines).encode())
        return self.read().decode()

    def read(self) -> bytes:
        return b"".join(bytes(piece) for piece in self.client.read() if isinstance(piece, bytes))

    def play(self) -> None:
        answer = self.ask("SETUP", f"Transport: {TCP}", url=f"{URL}/stream=0")
        session = next(x for x in answer.split("\r\n") if x.startswith("Session: "))
        self.answer = self.ask("PLAY", session.partition(";")[0])

    def test_a_player(self) -> None:
        """Both subprotocols are spoken; inside nobody is asked for credentials; media come."""
        for subprotocol in ("binary", "rtsp.onvif.org"):
            self.client = self.connect()
            self.enter(subprotocol)
            self.assertTrue(self.ask("OPTIONS").startswith("RTSP/1.0 200 "))
            self.assertIn("v=0", self.ask("DESCRIBE"))
            self.play()
            self.assertTrue(self.answer.startswith("RTSP/1.0 200 "))
            self.assertTrue(self.answer.endswith("$\x00\x00\x06packet"))
            self.assertEqual([c.account for c in self.server.connections], ["vera"])
            self.client.end()
            self.assertEqual(self.calls[-1], "stopped")
            self.assertEqual(self.server.connections, [])

    def test_messages_are_cut_anywhere(self) -> None:
        """One byte to a message or all in one: requests are found in what they carry."""
        self.enter()
        request = f"OPTIONS {URL} RTSP/1.0\r\nCSeq: 7\r\n\r\n".encode()
        for cut in range(len(request)):
            self.client.send(request[cut : cut + 1])
        self.client.send(request * 2)
        self.assertEqual(self.read().count(b"CSeq: 7"), 3)

    def test_who_gets_in(self) -> None:
        """A token or an account; nobody else, and no page of another site without a token."""
        self.assertIn("HTTP/1.1 401 ", self.open(PATH))
        self.assertIn("HTTP/1.1 403 ", self.open(PATH, "vera", ("Origin", "http://evil")))
        self.assertIn("HTTP/1.1 400 ", self.open(PATH, "vera", subprotocols=["soap"]))
        token = self.tokens.issue("otto")
        target = f"{PATH}?rtspwssession={token}"
        self.assertIn("HTTP/1.1 101 ", self.open(target, subprotocols=["binary"]))
        self.assertEqual([c.account for c in self.server.connections], ["otto"])

    def test_interleaved_only(self) -> None:
        """UDP is refused with 461: nothing but the WebSocket reaches a browser."""
        self.enter()
        answer = self.ask("SETUP", f"Transport: {UDP}", url=f"{URL}/stream=0")
        self.assertTrue(answer.startswith("RTSP/1.0 461 "))

    def test_no_tunnel_within(self) -> None:
        """HTTP inside is no RTSP."""
        self.enter()
        self.client.send(b"GET / HTTP/1.0\r\nx-sessioncookie: a\r\n\r\n")
        self.assertNotIn(b"200 OK", self.read())

    def test_a_player_that_does_not_keep_up(self) -> None:
        """Frames are turned away and nothing is read until it has caught up."""
        self.enter()
        self.play()
        delivery: Any = self.presentation.deliveries[0]
        self.assertTrue(delivery.send([b"one"]))
        producer: Any = self.client.transport.producer
        producer.pauseProducing()
        self.assertFalse(delivery.send([b"two"]))
        self.assertEqual(self.client.transport.producerState, "paused")
        producer.resumeProducing()
        self.assertEqual(self.client.transport.producerState, "producing")
        self.assertEqual(self.calls[-1], "writable")
        self.assertTrue(delivery.send([b"three"]))
        self.assertEqual(self.read(), b"$\0\0\3one$\0\0\5three")

    def test_the_session_times_out(self) -> None:
        """A player whose RTSP session is silent for a minute loses it and the WebSocket."""
        self.enter()
        self.play()
        for _ in range(7):
            self.clock.advance(10)
            self.client.read()
            self.client.flush()  # pongs are no sign of life of the session
        self.assertEqual(self.calls[-1], "stopped")
        self.assertTrue(self.client.transport.aborted)

    def test_the_server_ends_it(self) -> None:
        """What RTSP closes ends with a close frame, and the answer before it arrives."""
        self.enter()
        self.client.send(b"\xff\xff no RTSP\r\n\r\n" * 10)
        self.client.read()
        assert self.client.dialogue is not None
        self.assertEqual(self.client.dialogue.close_code, 1000)
        self.clock.advance(CLOSE_SECONDS)
        self.assertTrue(self.client.transport.disconnecting)

    def test_text_messages(self) -> None:
        """They end the connection with 1003."""
        self.enter()
        self.client.send("OPTIONS")
        self.client.read()
        assert self.client.dialogue is not None
        self.assertEqual(self.client.dialogue.close_code, 1003)

    def test_no_room(self) -> None:
        """A full RTSP server answers 503 before there is a WebSocket."""
        self.server.refusing_until = 1e9
        self.assertIn("HTTP/1.1 503 ", self.open(PATH, "vera"))
