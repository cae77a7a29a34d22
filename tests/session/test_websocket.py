"""Frames, limits, pings and ends of a WebSocket, byte by byte."""

import tracemalloc
import zlib

from twisted.trial.unittest import SynchronousTestCase
from wsproto.frame_protocol import FrameProtocol, Opcode

from axis_nvr.errors import LocalProtocolError, RemoteProtocolError
from axis_nvr.session.websocket import (
    ABNORMAL,
    CLOSE_SECONDS,
    NORMAL,
    POLICY_VIOLATION,
    TOO_BIG,
    Limits,
    Oversized,
    SharedText,
    State,
    WebSocketDialogue,
    agreed_deflate,
)
from axis_nvr.session.websocket_handshake import (
    MAX_HEAD_BYTES,
    BadUpgrade,
    ClientHandshake,
    ServerHandshake,
    UpgradeRefused,
)

LIMITS = Limits(message_bytes=1000, fatal_bytes=5000, fragments=10)
#: The example of RFC 6455 §1.3.
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ASKED = (
    (b"Host", b"server.example.com"),
    (b"Upgrade", b"websocket"),
    (b"Connection", b"keep-alive, Upgrade"),
    (b"Sec-WebSocket-Key", KEY),
    (b"Sec-WebSocket-Version", b"13"),
)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv1: bool = False) -> bytes:
    """Make a frame as a client sends it, masked with zeros."""
    head = bytes([fin << 7 | rsv1 << 6 | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        head += bytes([0x80 | 126]) + len(payload).to_bytes(2)
    else:
        head += bytes([0x80 | 127]) + len(payload).to_bytes(8)
    return head + bytes(4) + payload


def deflated(data: bytes) -> bytes:
    """Compress the payload of one message (RFC 7692 §7.2.1)."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def server(
    offer: bytes = b"", limits: Limits = LIMITS, *, deflate: bool = True
) -> WebSocketDialogue:
    """Make the server's end of a connection that opened at 100 seconds."""
    more = ((b"Sec-WebSocket-Extensions", offer),) if offer else ()
    return ServerHandshake([*ASKED, *more]).accept("", limits, 100.0, deflate=deflate)[1]


class HandshakeTests(SynchronousTestCase):
    def test_answers_as_in_the_rfc(self) -> None:
        """The example of RFC 6455 gets the answer that stands there."""
        answer, _ = ServerHandshake(ASKED).accept("", LIMITS, 0.0, deflate=True)
        self.assertIn(b"HTTP/1.1 101 ", answer)
        self.assertIn(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", answer)
        self.assertNotIn(b"permessage-deflate", answer)

    def test_needs_everything(self) -> None:
        """Without any one of its headers a request is refused; with another version it is told."""
        for missing in ASKED:
            with self.assertRaises(BadUpgrade) as caught:
                ServerHandshake([header for header in ASKED if header is not missing])
            self.assertEqual(caught.exception.status, 426 if missing[0] == b"Upgrade" else 400)
        with self.assertRaises(BadUpgrade) as caught:
            ServerHandshake([*ASKED[:-1], (b"Sec-WebSocket-Version", b"8")])
        self.assertEqual(caught.exception.status, 426)
        self.assertEqual(caught.exception.headers, (("Sec-WebSocket-Version", "13"),))

    def test_stands_odd_bytes(self) -> None:
        """Bytes that are no text are refused or passed over, whatever header they are in."""
        passed = (b"Host", b"Sec-WebSocket-Key", b"Sec-WebSocket-Protocol", b"X-Other")
        for name, _ in (*ASKED, (b"Sec-WebSocket-Protocol", b""), (b"X-Other", b"")):
            others = [header for header in ASKED if header[0] != name]
            try:
                ServerHandshake([*others, (name, b"\xff\xfe\x80")])
            except BadUpgrade:
                continue
            self.assertIn(name, passed)

    def test_agrees_to_compression(self) -> None:
        """What browsers and devices offer is agreed to; neither side is to keep a window."""
        agreed = agreed_deflate(["permessage-deflate; client_max_window_bits"])
        assert agreed is not None
        self.assertEqual(
            agreed[1],
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover;"
            " client_max_window_bits=15",
        )

    def test_declines_other_compression(self) -> None:
        """A narrowed window, an unknown parameter, nonsense: declined; the next offer counts."""
        for offer in (
            "permessage-deflate; server_max_window_bits=9",
            "permessage-deflate; client_max_window_bits=x",
            "permessage-deflate; client_max_window_bits=99",
            "permessage-deflate; more",
            "x-webkit-deflate-frame",
        ):
            self.assertIsNone(agreed_deflate([offer]), offer)
            self.assertIsNotNone(agreed_deflate([offer, "permessage-deflate"]), offer)

    def test_both_ends_understand_each_other(self) -> None:
        """A client's request and a server's answer open a connection, cut at any byte."""
        client = ClientHandshake("cam:8080", "/ws?a=b", subprotocols=["binary"])
        lines = client.request().split(b"\r\n")
        self.assertEqual(lines[0], b"GET /ws?a=b HTTP/1.1")
        self.assertIn(b"Host: cam:8080", lines)
        headers = [(name, value) for name, _, value in (x.partition(b": ") for x in lines[1:])]
        ours = ServerHandshake(headers)
        self.assertEqual(ours.subprotocols, ["binary"])
        answer, there = ours.accept("binary", LIMITS, 0.0, deflate=True)
        there.send("behind the answer")
        answer += there.take_output()
        for cut in range(len(answer)):
            here = client.receive(answer[cut : cut + 1], LIMITS, 0.0)
            if here is not None:
                break
        assert here is not None
        self.assertEqual(here.receive(answer[cut + 1 :], 0.0), ["behind the answer"])

    def test_what_comes_with_the_answer(self) -> None:
        """A message in the same piece as the answer is given with the next bytes, be they none."""
        client = ClientHandshake("cam", "/")
        lines = client.request().split(b"\r\n")
        headers = [(name, value) for name, _, value in (x.partition(b": ") for x in lines[1:])]
        answer, there = ServerHandshake(headers).accept("", LIMITS, 0.0, deflate=True)
        there.send("at once")
        here = client.receive(answer + there.take_output(), LIMITS, 0.0)
        assert here is not None
        self.assertEqual(here.receive(b"", 0.0), ["at once"])

    def test_a_refusal_is_told_with_its_challenges(self) -> None:
        """A 401 gives the challenges; other answers their status."""
        client = ClientHandshake("cam", "/")
        client.request()
        with self.assertRaises(UpgradeRefused) as caught:
            client.receive(
                b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="a", nonce="b"\r\n'
                b'WWW-Authenticate: Basic realm="a"\r\nContent-Length: 2\r\n\r\nno',
                LIMITS,
                0.0,
            )
        self.assertEqual(caught.exception.status, 401)
        self.assertEqual(
            caught.exception.challenges, ('Digest realm="a", nonce="b"', 'Basic realm="a"')
        )

    def test_no_answer_at_all(self) -> None:
        """What is no HTTP, a wrong proof, or an endless head is an error of the peer's."""
        head = b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        for answer in (
            b"RTSP/1.0 200 OK\r\n\r\n",
            head + b"Sec-WebSocket-Accept: AAAA\r\n\r\n",
            head + b"Sec-WebSocket-Protocol: \xff\r\n\r\n",
            head + b"X: " + b"y" * (2 * MAX_HEAD_BYTES),
        ):
            client = ClientHandshake("cam", "/")
            client.request()
            with self.assertRaises(RemoteProtocolError):
                client.receive(answer, LIMITS, 0.0)


class MessageTests(SynchronousTestCase):
    def test_messages_cut_anywhere(self) -> None:
        """Text and binary messages, in fragments, with a ping between, cut at every byte."""
        stream = (
            frame(Opcode.TEXT, "grün".encode()[:3], fin=False)
            + frame(Opcode.PING, b"x")
            + frame(Opcode.CONTINUATION, "grün".encode()[3:])
            + frame(Opcode.BINARY, b"\x00\x01")
            + frame(Opcode.TEXT)
        )
        expected: list[object] = ["grün", b"\x00\x01", ""]
        for step in (1, 2, 7, len(stream)):
            dialogue, received = server(), []
            for start in range(0, len(stream), step):
                received += dialogue.receive(stream[start : start + step], 100.0)
            self.assertEqual(received, expected)
            self.assertEqual(dialogue.take_output(), b"\x8a\x01x")

    def test_large_messages_are_skipped(self) -> None:
        """A message over the limit is told of by its size, and the next one is read."""
        dialogue = server()
        received = dialogue.receive(
            frame(Opcode.TEXT, b"x" * 1001) + frame(Opcode.BINARY, b"y" * 1000), 100.0
        )
        self.assertEqual(received, [Oversized(1001), b"y" * 1000])

    def test_huge_messages_end_the_connection(self) -> None:
        """A message over the second limit is not read to its end, and neither are fragments."""
        dialogue = server()
        self.assertEqual(dialogue.receive(frame(Opcode.TEXT, b"x" * 5001)[:5010], 100.0), [])
        self.assertEqual((dialogue.state, dialogue.close_code), (State.CLOSED, TOO_BIG))
        self.assertEqual(dialogue.take_output()[2:4], TOO_BIG.to_bytes(2))
        dialogue = server()
        dialogue.receive(frame(Opcode.TEXT, fin=False), 100.0)
        for _ in range(10):
            self.assertEqual(dialogue.receive(frame(0, fin=False), 100.0), [])
        self.assertEqual(dialogue.close_code, POLICY_VIOLATION)

    def test_a_packed_bomb_costs_nothing(self) -> None:
        """64 MiB of zeros in 64 KiB are not unpacked beyond the limit and what a slice makes."""
        dialogue = server(b"permessage-deflate")
        bomb = frame(Opcode.BINARY, deflated(bytes(1 << 26)), rsv1=True)
        self.assertLess(len(bomb), 1 << 17)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertEqual(dialogue.receive(bomb, 100.0), [])
        self.assertLess(tracemalloc.get_traced_memory()[1], 1 << 24)
        self.assertEqual(dialogue.close_code, TOO_BIG)

    def test_compressed_messages(self) -> None:
        """A packed message arrives; one for many clients is packed once and reads the same."""
        dialogue = server(b"permessage-deflate; client_max_window_bits")
        packed = frame(Opcode.TEXT, deflated(b"hello" * 9), rsv1=True)
        self.assertEqual(dialogue.receive(packed * 2, 100.0), ["hello" * 9] * 2)
        shared = SharedText("hello" * 9)
        dialogue.send(shared)
        first = dialogue.take_output()
        dialogue.send(shared)
        self.assertEqual(first, dialogue.take_output())
        self.assertIs(shared.frame(True), shared.frame(True))
        unpacked = zlib.decompressobj(-15).decompress(first[2:] + b"\x00\x00\xff\xff")
        self.assertEqual((first[0], unpacked), (0xC1, b"hello" * 9))
        plain = server(deflate=False)
        plain.send(shared)
        self.assertEqual(plain.take_output(), b"\x81\x2d" + b"hello" * 9)

    def test_a_ping_within_a_packed_message(self) -> None:
        """A ping between the fragments of a packed message harms neither it nor the next."""
        packed = deflated(b"hello" * 99)
        stream = frame(Opcode.TEXT, packed[:5], fin=False, rsv1=True) + frame(Opcode.PING, b"x")
        stream += frame(Opcode.CONTINUATION, packed[5:])
        for step in (1, len(stream)):
            dialogue, received = server(b"permessage-deflate"), []
            for start in range(0, len(stream * 2), step):
                received += dialogue.receive((stream * 2)[start : start + step], 100.0)
            self.assertEqual(received, ["hello" * 99] * 2)
            self.assertEqual(dialogue.take_output(), b"\x8a\x01x" * 2)
        dialogue.receive(frame(Opcode.PING, b"x", rsv1=True), 100.0)
        self.assertEqual(dialogue.close_code, 1002)

    def test_broken_rules_end_the_connection(self) -> None:
        """What breaks a rule is answered with a close frame, and nothing after it is read."""
        for broken, code in (
            (b"\x81\x01x", 1002),  # not masked
            (frame(3), 1002),
            (frame(Opcode.TEXT, b"x", rsv1=True), 1002),
            (frame(Opcode.CONTINUATION, b"x"), 1002),
            (frame(Opcode.PING, b"x" * 126), 1002),
            (frame(Opcode.TEXT, b"\xff"), 1007),
            (frame(Opcode.CLOSE, b"\x03"), 1002),
        ):
            dialogue = server()
            self.assertEqual(dialogue.receive(broken + frame(Opcode.TEXT, b"x"), 100.0), [])
            self.assertEqual((dialogue.state, dialogue.close_code), (State.CLOSED, code))
            self.assertEqual(dialogue.take_output()[2:4], code.to_bytes(2))
            self.assertEqual(dialogue.receive(frame(Opcode.TEXT, b"x"), 100.0), [])


class EndTests(SynchronousTestCase):
    def test_the_peer_closes(self) -> None:
        """A close frame is answered with the same code, and what was sent before is not lost."""
        dialogue = server()
        closing = frame(Opcode.TEXT, b"last") + frame(Opcode.CLOSE, b"\x0f\xa0bye")
        self.assertEqual(dialogue.receive(closing, 100.0), ["last"])
        self.assertEqual(dialogue.take_output(), b"\x88\x05\x0f\xa0bye")
        self.assertEqual((dialogue.close_code, dialogue.close_reason), (4000, "bye"))
        self.assertTrue(dialogue.is_closed)
        self.assertIsNone(dialogue.next_timeout())

    def test_we_close(self) -> None:
        """After our close frame messages are passed over until the peer's, or so many seconds."""
        for answers in (True, False):
            dialogue = server()
            dialogue.close(NORMAL, "", 100.0)
            self.assertEqual(dialogue.take_output(), b"\x88\x02\x03\xe8")
            self.assertEqual(dialogue.receive(frame(Opcode.TEXT, b"x"), 101.0), [])
            self.assertRaises(LocalProtocolError, dialogue.send, "x")
            self.assertEqual(dialogue.next_timeout(), 100.0 + CLOSE_SECONDS)
            if answers:
                dialogue.receive(frame(Opcode.CLOSE, b"\x03\xe8"), 102.0)
            else:
                dialogue.time_out(100.0 + CLOSE_SECONDS)
            self.assertTrue(dialogue.is_closed)
            self.assertEqual((dialogue.close_code, dialogue.take_output()), (NORMAL, b""))

    def test_silence(self) -> None:
        """A silent peer is pinged, once in 30 seconds, and given up after 75; a sign resets it."""
        dialogue = server()
        self.assertEqual(dialogue.next_timeout(), 130.0)
        dialogue.time_out(130.0)
        self.assertEqual(dialogue.take_output(), b"\x89\x00")
        dialogue.receive(frame(Opcode.PONG), 131.0)
        self.assertEqual(dialogue.next_timeout(), 161.0)
        dialogue.time_out(161.0)
        self.assertEqual(dialogue.next_timeout(), 191.0)
        dialogue.time_out(191.0)
        self.assertEqual(dialogue.take_output(), b"\x89\x00" * 2)
        self.assertEqual(dialogue.next_timeout(), 206.0)
        dialogue.time_out(206.0)
        self.assertTrue(dialogue.is_closed)
        self.assertEqual(dialogue.close_code, ABNORMAL)


class ClientEndTests(SynchronousTestCase):
    def test_a_client_masks(self) -> None:
        """What a client sends, a server reads, and the other way round."""
        client = ClientHandshake("cam", "/")
        lines = client.request().split(b"\r\n")
        headers = [(name, value) for name, _, value in (x.partition(b": ") for x in lines[1:])]
        answer, there = ServerHandshake(headers).accept("", LIMITS, 0.0, deflate=False)
        here = client.receive(answer, LIMITS, 0.0)
        assert here is not None
        here.send(SharedText("for one"))
        sent = here.take_output()
        self.assertTrue(sent[1] & 0x80)
        self.assertEqual(there.receive(sent, 0.0), ["for one"])
        there.send(b"\x01" * 300)
        self.assertEqual(here.receive(there.take_output(), 0.0), [b"\x01" * 300])
        self.assertEqual(FrameProtocol(False, []).send_data(b"\x01")[1], 1)
