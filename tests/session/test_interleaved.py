"""Messages and frames out of a TCP connection."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.interleaved import InterleavedReader, build_frame
from axis_nvr.wire.rtsp import Message, Response

REPLY = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"
WITH_BODY = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 5\r\n\r\nhello"
REQUEST = b"OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\n"
RTP = b"\x80\x60" + bytes(range(30))
RTCP = b"\x80\xc9\x00\x01abcd"
STREAM = b"".join(
    [
        REPLY,
        build_frame(0, RTP),
        build_frame(1, RTCP),
        WITH_BODY,
        build_frame(0, b""),
        b"\r\n",
        build_frame(2, RTP * 9),
        REQUEST,
        build_frame(0, RTP),
    ]
)
CONTENT = ["200", (0, RTP), (1, RTCP), "200 hello", (0, b""), (2, RTP * 9), "OPTIONS", (0, RTP)]


class Collector:
    """A reader and what it gives out, in order."""

    def __init__(self, channels: frozenset[int] = frozenset({0, 1, 2, 3})) -> None:
        self.content: list[object] = []
        self.reader = InterleavedReader(self._receive)
        self.reader.channels = channels

    def _receive(self, channel: int, packet: memoryview) -> None:
        self.content.append((channel, bytes(packet)))

    def feed(self, data: bytes) -> None:
        self.content += [shown(message) for message in self.reader.receive(data)]


def shown(message: Message) -> str:
    what = str(message.status) if isinstance(message, Response) else message.method
    return f"{what} {message.body.decode()}".strip()


def ordered(content: Sequence[object]) -> tuple[list[object], list[object]]:
    """Frames and messages, each in their order: messages are returned at the end of a read."""
    frames: list[object] = [item for item in content if isinstance(item, tuple)]
    return frames, [item for item in content if not isinstance(item, tuple)]


class CutTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """A read with everything in it."""
        collector = Collector()
        collector.feed(STREAM)
        self.assertEqual(ordered(collector.content), ordered(CONTENT))
        self.assertEqual(collector.reader.skipped_bytes, 0)

    def test_byte_by_byte(self) -> None:
        """Byte by byte, everything comes out in its order."""
        collector = Collector()
        for index in range(len(STREAM)):
            collector.feed(STREAM[index : index + 1])
        self.assertEqual(collector.content, CONTENT)

    def test_cut_at_every_offset(self) -> None:
        """Two reads, cut anywhere."""
        for cut in range(len(STREAM)):
            collector = Collector()
            collector.feed(STREAM[:cut])
            collector.feed(STREAM[cut:])
            self.assertEqual(ordered(collector.content), ordered(CONTENT), cut)

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.integers(0, len(STREAM)), max_size=12))
    def test_cut_anywhere(self, cuts: list[int]) -> None:
        """Any number of reads, empty ones too."""
        collector = Collector()
        places = [0, *sorted(cuts), len(STREAM)]
        for begin, end in pairwise(places):
            collector.feed(STREAM[begin:end])
        self.assertEqual(ordered(collector.content), ordered(CONTENT))

    def test_a_long_frame_in_small_reads(self) -> None:
        """A frame of 64 KiB in tiny reads is put together once, not copied for each read."""
        collector = Collector()
        data = build_frame(0, bytes(65535))
        for start in range(0, len(data), 100):
            collector.feed(data[start : start + 100])
        self.assertEqual(collector.content, [(0, bytes(65535))])


class QuirkTests(SynchronousTestCase):
    def test_quirk_6_garbage_at_connect(self) -> None:
        """Bytes of a former session are skipped, up to the reply (live555)."""
        for garbage in (b"\x00" * 50, bytes(range(37, 250)), b"EVENT ", b"A" * 40, RTP[1:]):
            for size in (1, 7, 1000):
                collector = Collector(frozenset())
                stream = garbage + REPLY
                for start in range(0, len(stream), size):
                    collector.feed(stream[start : start + size])
                self.assertEqual(collector.content, ["200"])
                collector.reader.channels = frozenset({0, 1, 2})
                collector.feed(STREAM)
                self.assertEqual(ordered(collector.content[1:]), ordered(CONTENT))

    def test_quirk_6_garbage_before_a_frame(self) -> None:
        """A frame of an assigned channel is found behind garbage, a false one is not taken."""
        false = b"$\x00\x00\x05\x80xxxxyyyy"
        for garbage in (b"\xff" * 20, false[1:], b"\x01" + false, b"\x01$\x09\x00\x20\x80"):
            collector = Collector()
            collector.feed(build_frame(0, RTP) + garbage + build_frame(2, RTP) + REPLY)
            self.assertEqual(collector.content, [(0, RTP), (2, RTP), "200"], garbage)
            self.assertEqual(collector.reader.skipped_bytes, len(garbage))

    def test_quirk_6_rtsp_within_garbage(self) -> None:
        """A reply is found behind garbage though its start is cut in two."""
        stream = b"\xfe" * 300 + REPLY
        for cut in range(len(stream)):
            collector = Collector()
            collector.feed(stream[:cut])
            collector.feed(stream[cut:])
            self.assertEqual(collector.content, ["200"], cut)

    def test_quirk_7_unassigned_channels(self) -> None:
        """Frames on channels of nobody are handed on, and nothing gets out of place."""
        collector = Collector(frozenset({0, 1}))
        collector.feed(build_frame(7, RTP) + build_frame(0, RTP) + build_frame(200, RTP) + REPLY)
        self.assertEqual(collector.content, [(7, RTP), (0, RTP), (200, RTP), "200"])

    def test_quirk_27_line_ends_before_a_frame(self) -> None:
        """CRLF before ``$`` means nothing."""
        collector = Collector()
        collector.feed(b"\r\n" + build_frame(0, RTP) + b"\r\n\r\n" + build_frame(1, RTCP))
        self.assertEqual(collector.content, [(0, RTP), (1, RTCP)])
        self.assertEqual(collector.reader.skipped_bytes, 0)

    def test_quirk_27_media_before_the_reply(self) -> None:
        """Frames between PLAY and its reply are frames."""
        collector = Collector()
        collector.feed(build_frame(0, RTP) * 3 + REPLY + build_frame(0, RTP))
        self.assertEqual(ordered(collector.content), ([(0, RTP)] * 4, ["200"]))

    def test_quirk_27_largest_packets(self) -> None:
        """Packets of 10 000 bytes (Tapo), and of as many as fit."""
        for size in (10_000, 65_535):
            collector = Collector()
            collector.feed(build_frame(0, bytes(size)) + REPLY)
            self.assertEqual(collector.content, [(0, bytes(size)), "200"])


class LimitTests(SynchronousTestCase):
    def test_a_head_without_end(self) -> None:
        """It is given up, and what comes behind it is found."""
        collector = Collector()
        collector.feed(b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * 5000)
        self.assertGreater(collector.reader.skipped_bytes, 16_000)
        collector.feed(build_frame(0, RTP))
        self.assertEqual(collector.content, [(0, RTP)])

    def test_bad_content_length(self) -> None:
        """A message with a length that makes no sense is skipped."""
        collector = Collector()
        collector.feed(b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n" + build_frame(0, RTP))
        self.assertEqual(collector.content, [(0, RTP)])

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=40),
                st.sampled_from([REPLY, WITH_BODY, build_frame(0, RTP), b"$", b"RTSP/1.0 "]),
            ),
            max_size=12,
        )
    )
    def test_any_bytes(self, reads: list[bytes]) -> None:
        """Whatever comes, nothing is raised, and every byte is accounted for or kept."""
        collector = Collector()
        for data in reads:
            collector.feed(data)
        self.assertLessEqual(len(collector.reader._rest), sum(map(len, reads)))
        self.assertLessEqual(collector.reader.skipped_bytes, sum(map(len, reads)))
