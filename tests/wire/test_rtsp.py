"""RTSP messages: what is read, what is written, what is refused."""

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import LocalProtocolError, WireError
from axis_nvr.wire import rtsp
from axis_nvr.wire.rtsp import Headers, Message, Request, Response
from tests.wire.rtsp_messages import read_messages

# Made for these tests, after the dialogue of an Axis camera.
DESCRIBE_REPLY = (
    b"RTSP/1.0 200 OK\r\n"
    b"CSeq: 2\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Base: rtsp://192.168.0.90/axis-media/media.amp/\r\n"
    b"Content-Length: 5\r\n"
    b"\r\n"
    b"v=0\r\n"
)
DIALOGUE = [
    DESCRIBE_REPLY,
    b"RTSP/1.0 401 Unauthorized\nCSeq: 3\nWWW-Authenticate: Basic realm=x\n\n",
    b"\r\n\r\nOPTIONS * RTSP/1.0\r\nCSeq: 4\r\n\r\n",
    b"SET_PARAMETER rtsp://host/a RTSP/1.0\r\nCSeq: 5\r\nContent-Length: 17\r\n\r\n"
    b"Renew-Stream: yes",
]


def parse(data: bytes) -> Message:
    """Read one message that is all of `data`."""
    found = rtsp.read_message(data)
    assert found is not None
    message, end = found
    assert end == len(data), "something was left"
    return message


def names() -> st.SearchStrategy[str]:
    return st.text("abcXYZ019-_", min_size=1, max_size=12).filter(
        lambda name: name.lower() != "content-length"
    )


def values() -> st.SearchStrategy[str]:
    printable = st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x85\xa0")
    return st.text(printable, max_size=40).map(str.strip)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    headers = Headers(draw(st.lists(st.tuples(names(), values()), max_size=6)))
    body = draw(st.binary(max_size=60))
    if body:
        headers.add("Content-Length", str(len(body)))
    if draw(st.booleans()):
        method = draw(st.sampled_from(["OPTIONS", "DESCRIBE", "SET_PARAMETER", "X-OWN"]))
        uri = draw(st.sampled_from(["*", "rtsp://a/b?c=d", "rtsp://[::1]:554/"]))
        return Request(method, uri, headers, body)
    return Response(draw(st.integers(100, 999)), draw(values()) or "Why", headers, body)


class RoundTripTests(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @given(messages())
    def test_what_is_written_is_read(self, message: Message) -> None:
        """A message that was encoded reads back as it was."""
        self.assertEqual(parse(rtsp.encode(message)), message)

    def test_length_is_added(self) -> None:
        """A body brings its Content-Length, no body none."""
        self.assertIn(b"Content-Length: 2\r\n", rtsp.encode(Response(200, "OK", body=b"hi")))
        self.assertNotIn(b"Content-Length", rtsp.encode(Response(200, "OK")))

    def test_reason_is_filled_in(self) -> None:
        """A response without words gets those of the RFC."""
        self.assertTrue(
            rtsp.encode(Response(454)).startswith(b"RTSP/1.0 454 Session Not Found\r\n")
        )

    def test_line_ends_cannot_be_smuggled(self) -> None:
        """A header value with a line end in it is our bug and never leaves."""
        for message in (
            Request("OPTIONS", "rtsp://a\r\nX: y"),
            Response(200, "OK", Headers([("Public", "a\nb")])),
            Response(200, "O\rK"),
        ):
            self.assertRaises(LocalProtocolError, rtsp.encode, message)

    def test_beyond_latin_1_is_refused(self) -> None:
        """A character that has no byte is our bug; the error does not quote what stood there."""
        request = Request("OPTIONS", "*", Headers([("Authorization", "Basic hemmelighet→")]))
        error = self.assertRaises(LocalProtocolError, rtsp.encode, request)
        self.assertNotIn("hemmelighet", str(error))


class StreamTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stream = b"".join(DIALOGUE)
        self.expected = [parse(piece) for piece in DIALOGUE]

    def test_whole(self) -> None:
        """Messages that arrive at once are told apart."""
        self.assertEqual(read_messages(self.stream), self.expected)

    def test_incomplete_is_none(self) -> None:
        """A message whose end has not come is not read, at no length."""
        for size in range(len(DESCRIBE_REPLY)):
            self.assertIsNone(rtsp.read_message(DESCRIBE_REPLY[:size]))

    def test_reads_at_an_offset(self) -> None:
        """`read_message` begins where it is told, in bytes, bytearray and memoryview alike."""
        data = b"$\0\0\x01x" + DESCRIBE_REPLY + b"$"
        for kind in (bytes, bytearray, memoryview):
            found = rtsp.read_message(kind(data), 5)
            assert found is not None
            self.assertEqual(found, (self.expected[0], 5 + len(DESCRIBE_REPLY)))

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=200), st.integers(0, 200))
    @example(b"RTSP/1.0 200\r\n\r\n", 0)
    def test_fuzz(self, noise: bytes, place: int) -> None:
        """Garbage within a dialogue raises nothing but `WireError`."""
        data = self.stream[:place] + noise + self.stream[place:]
        count, at = 0, 0
        try:
            while found := rtsp.read_message(data, at):
                _, at = found
                count += 1
        except WireError:
            pass
        self.assertLess(count, len(data) / 10)


class HeadTests(SynchronousTestCase):
    def test_empty_reason(self) -> None:
        """A status line may have no words, with the space before them or without (quirk 22)."""
        for line in (b"RTSP/1.0 200 ", b"RTSP/1.0 200", b"RTSP/1.0  200 "):
            self.assertEqual(parse(line + b"\r\n\r\n"), Response(200, ""))

    def test_names_without_case(self) -> None:
        """``Cseq``, ``CSEQ`` and ``cseq`` are one header (quirk 22)."""
        for name in (b"Cseq", b"CSEQ", b"cseq"):
            message = parse(b"RTSP/1.0 200 OK\r\n" + name + b": 7\r\n\r\n")
            self.assertEqual(message.headers.get("CSeq"), "7")

    def test_spaces_around_values(self) -> None:
        """Spaces before the colon, and around and behind the value, do not count (quirk 22)."""
        for line in (b"CSeq:7", b"CSeq: 7 ", b"CSeq :\t7", b"CSeq:   7\t "):
            message = parse(b"RTSP/1.0 200 OK\r\n" + line + b"\r\n\r\n")
            self.assertEqual(message.headers.get("CSeq"), "7", line)

    def test_folded_lines(self) -> None:
        """A line that begins with a space goes on with the one before (RFC 2068 §2.2)."""
        head = b"RTSP/1.0 200 OK\r\nPublic: OPTIONS,\r\n\t DESCRIBE\r\nCSeq: 1\r\n\r\n"
        self.assertEqual(parse(head).headers.get("Public"), "OPTIONS, DESCRIBE")

    def test_nonsense_lines_are_passed_over(self) -> None:
        """A header line that is none costs only itself."""
        head = b"RTSP/1.0 200 OK\r\nnonsense\r\n: x\r\nCSeq: 1\r\n\r\n"
        self.assertEqual(parse(head).headers, Headers([("CSeq", "1")]))

    def test_uri_with_spaces(self) -> None:
        """A URI with a space in it is kept whole."""
        request = parse(b"DESCRIBE rtsp://host/a b RTSP/1.0\r\n\r\n")
        self.assertEqual(request, Request("DESCRIBE", "rtsp://host/a b"))

    def test_http(self) -> None:
        """The HTTP of a tunnel is read by the same parser and told apart by its version."""
        request = parse(b"GET /axis-media/media.amp HTTP/1.0\r\nx-sessioncookie: 1\r\n\r\n")
        response = parse(b"HTTP/1.1 404 Not Found\r\n\r\n")
        self.assertEqual((request.version, response.version), ("HTTP/1.0", "HTTP/1.1"))

    def test_no_start_line(self) -> None:
        """Anything else is refused, and the words of the refusal hold no credentials."""
        for line in (
            b"",
            b"RTSP/1.0",
            b"RTSP/1.0 2000 OK",
            b"200 OK RTSP/1.0",
            b"HELLO",
            b"\0" * 9,
        ):
            self.assertRaises(WireError, rtsp.parse_head, line + b"\r\n\r\n")
        error = self.assertRaises(WireError, rtsp.parse_head, b"GET rtsp://u:hemmelig@a\r\n\r\n")
        self.assertNotIn("hemmelig", str(error))

    def test_start_is_recognised(self) -> None:
        """`START` finds the begin of each kind of message, and nothing in media data."""
        for piece in DIALOGUE:
            self.assertTrue(rtsp.START.match(piece.lstrip()))
        for noise in (
            b"$\0\0\x0cRTSP/1.0",
            b"RTSP/1.0 20",
            b"options * RTSP/1.0\r\n",
            b"\xff" * 40,
        ):
            self.assertIsNone(rtsp.START.match(noise))


class LimitTests(SynchronousTestCase):
    def refused(self, data: bytes) -> None:
        self.assertRaises(WireError, rtsp.read_message, data)

    def test_head_size(self) -> None:
        """A head without end is refused at `MAX_HEAD_BYTES`, one just below it is read."""
        start = b"RTSP/1.0 200 OK\r\nX: "
        fits = start + b"x" * (rtsp.MAX_HEAD_BYTES - len(start) - 4) + b"\r\n\r\n"
        self.assertEqual(parse(fits).headers.get("X")[:1], "x")
        self.refused(start + b"x" * rtsp.MAX_HEAD_BYTES)
        self.refused(fits.replace(b"X", b"XY"))

    def test_header_count(self) -> None:
        """More headers than `MAX_HEADER_COUNT` are refused."""
        head = b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * rtsp.MAX_HEADER_COUNT
        self.assertEqual(len(parse(head + b"\r\n").headers), rtsp.MAX_HEADER_COUNT)
        self.refused(head + b"X: y\r\n\r\n")

    def test_body_size(self) -> None:
        """A body over `MAX_BODY_BYTES` is refused before it comes."""
        head = b"RTSP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n"
        self.assertIsNone(rtsp.read_message(head % rtsp.MAX_BODY_BYTES))
        self.refused(head % (rtsp.MAX_BODY_BYTES + 1))
        self.refused(head.replace(b"%d", b"9" * 5000))

    def test_nonsense_lengths(self) -> None:
        """A length that is no number, or two that differ, are refused; one said twice is not."""
        for value in (b"-1", b"+1", b"1_0", b"0x10", b"", b"\xb2"):
            self.refused(b"RTSP/1.0 200 OK\r\nContent-Length: " + value + b"\r\n\r\n")
        twice = b"RTSP/1.0 200 OK\r\nContent-Length: 1\r\nContent-length: %d\r\n\r\nx"
        self.assertEqual(parse(twice % 1).body, b"x")
        self.refused(twice % 2)

    def test_leading_line_ends(self) -> None:
        """Endless line ends before a message are refused."""
        self.refused(b"\r\n" * rtsp.MAX_LEADING_BYTES)


class SecretTests(SynchronousTestCase):
    def test_repr(self) -> None:
        """The shown form of a message holds neither credentials nor passwords of a URL."""
        headers = Headers(
            [("authorization", "Basic aGVtbWVsaWc="), ("Location", "rtsp://u:hemmelig@a/")]
        )
        request = Request("DESCRIBE", "rtsp://root:hemmelig@host/a", headers, b"")
        for shown in (repr(request), repr(headers), repr(Response(302, "x", headers))):
            self.assertNotIn("hemmelig", shown)
            self.assertNotIn("aGVtbWVsaWc", shown)
        self.assertIn("rtsp://…@host/a", repr(request))


class HeadersTests(SynchronousTestCase):
    def test_multi_map(self) -> None:
        """Headers keep order and repetitions; names compare without case."""
        headers = Headers([("WWW-Authenticate", "Digest"), ("www-authenticate", "Basic")])
        self.assertEqual(headers.get("Www-Authenticate"), "Digest")
        self.assertEqual(headers.get_all("WWW-AUTHENTICATE"), ["Digest", "Basic"])
        headers.set("Www-authenticate", "None")
        headers.add("CSeq", "1")
        self.assertEqual(list(headers), [("Www-authenticate", "None"), ("CSeq", "1")])
        self.assertIn("cseq", headers)
        headers.remove("CSEQ")
        self.assertEqual((len(headers), headers.get("CSeq", "-")), (1, "-"))
