"""Matroska written, read back, broken and held to its description."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire.ebml import Element, iterate_elements
from axis_nvr.wire.matroska import (
    MAX_RELATIVE_MS,
    Closing,
    CuePoint,
    FrameTuple,
    Info,
    Track,
    build_cluster,
    build_cues,
    build_front,
    build_tags,
    build_tracks,
)
from axis_nvr.wire.matroska_elements import AUDIO_TRACK, VIDEO_TRACK, Id
from axis_nvr.wire.matroska_format import CLUSTER, CUES, INFO, SEEK_HEAD, TAGS, TRACKS
from axis_nvr.wire.matroska_reader import (
    check_crc,
    check_doc_type,
    parse_cluster,
    parse_cues,
    parse_info,
    parse_master,
    parse_tags,
    parse_tracks,
)

VIDEO = Track(
    number=1,
    kind=VIDEO_TRACK,
    codec_id="V_MPEG4/ISO/AVC",
    codec_private=b"\x01avcC",
    name="Video",
    default_duration_ns=33_333_333,
    width=1920,
    height=1080,
)
AUDIO = Track(
    number=2,
    kind=AUDIO_TRACK,
    codec_id="A_OPUS",
    codec_private=b"OpusHead",
    name="Audio",
    sample_rate=48000,
    channels=2,
    codec_delay_ns=6_500_000,
    seek_pre_roll_ns=80_000_000,
)
INFO_OPEN = Info(1_700_000_000_123_456, "axis_nvr", "axis_nvr 0.1.0")


@st.composite
def clusters(draw: st.DrawFn) -> tuple[int, list[FrameTuple]]:
    """A time and frames around it."""
    timestamp_ms = draw(st.integers(0, 1 << 40))
    near = st.integers(-MAX_RELATIVE_MS - 1, MAX_RELATIVE_MS).map(lambda ms: timestamp_ms + ms)
    frame = st.tuples(st.integers(1, 126), near, st.booleans(), st.binary(max_size=40))
    return timestamp_ms, draw(st.lists(frame, max_size=6))


def whole(pieces: list[bytes | bytearray]) -> bytes:
    return b"".join(pieces)


def only(data: bytes) -> Element:
    """The one element that some bytes are."""
    (found,) = iterate_elements(data)
    return found


class ClusterTests(SynchronousTestCase):
    @settings(max_examples=80, deadline=None, derandomize=True)
    @given(clusters())
    def test_writes_what_is_described(self, given: tuple[int, list[FrameTuple]]) -> None:
        """The fast path writes byte for byte what the description builds."""
        timestamp_ms, frames = given
        flags = {"invisible": False, "lacing": 0, "discardable": False}
        blocks = [
            {
                "track": track,
                "relative_ms": time_ms - timestamp_ms,
                "flags": {"keyframe": keyframe, **flags},
                "data": data,
            }
            for track, time_ms, keyframe, data in frames
        ]
        expected = CLUSTER.build({"timestamp": timestamp_ms, "blocks": blocks})
        self.assertEqual(whole(build_cluster(timestamp_ms, frames)), expected)

    @settings(max_examples=80, deadline=None, derandomize=True)
    @given(clusters())
    def test_reads_back(self, given: tuple[int, list[FrameTuple]]) -> None:
        """Each frame comes back with its track, time, flag and bytes, and the check holds."""
        timestamp_ms, frames = given
        element = only(whole(build_cluster(timestamp_ms, frames)))
        cluster = parse_cluster(element.data)
        self.assertEqual((element.id, cluster.timestamp_ms), (Id.CLUSTER, timestamp_ms))
        self.assertEqual(cluster.frames, frames)
        self.assertIs(cluster.checked, True)

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(clusters(), st.data())
    def test_any_changed_byte_is_seen(
        self, given: tuple[int, list[FrameTuple]], data: st.DataObject
    ) -> None:
        """A bent cluster is refused or fails its check; nothing else is raised."""
        element = only(whole(build_cluster(*given)))
        bent = bytearray(element.data)
        at = data.draw(st.integers(0, len(bent) - 1))
        bent[at] ^= data.draw(st.integers(1, 255))
        try:
            cluster = parse_cluster(bytes(bent))
        except WireError:
            return
        self.assertIsNot(cluster.checked, True)

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(st.binary(max_size=80))
    def test_any_bytes_are_a_cluster_or_a_wire_error(self, data: bytes) -> None:
        """Nothing but `WireError` comes out of bytes that nobody wrote."""
        for parse in (parse_cluster, parse_info, parse_tracks, parse_cues, parse_tags):
            try:
                parse(data)
            except WireError:
                continue

    def test_frames_are_not_copied(self) -> None:
        """The pieces are the very objects that came in."""
        data = bytearray(b"picture")
        self.assertIs(build_cluster(0, [(1, 0, True, data)])[2], data)

    def test_what_does_not_fit(self) -> None:
        """A frame too far from its cluster, or of a track that takes two bytes, is refused."""
        for frame in ((1, 32_768, True, b""), (1, -32_769, True, b""), (300, 0, True, b"")):
            self.assertRaises(WireError, build_cluster, 0, [frame])
        self.assertRaises(WireError, build_cluster, -1, [])

    def test_a_block_group_is_read(self) -> None:
        """What other writers put into BlockGroups is read; a reference makes it no key frame."""
        block = b"\xa1\x87\x81\x00\x05\x00abc"
        group = b"\xe7\x81\x0a" + b"\xa0" + bytes([0x80 | len(block)]) + block
        (frame,) = parse_cluster(group).frames
        self.assertEqual(frame, (1, 15, True, b"abc"))
        refers = block + b"\xfb\x81\xfe"
        group = b"\xe7\x81\x0a" + b"\xa0" + bytes([0x80 | len(refers)]) + refers
        self.assertFalse(parse_cluster(group).frames[0].keyframe)
        self.assertIsNone(parse_cluster(group).checked)

    def test_broken_frames(self) -> None:
        """Lacing, a cut header, a missing Timestamp and an empty group are each refused."""
        for data in (
            b"\xe7\x81\x00\xa3\x85\x81\x00\x00\x06a",
            b"\xe7\x81\x00\xa3\x82\x81\x00",
            b"\xe7\x81\x00\xa3\x80",
            b"\xa3\x85\x81\x00\x00\x00a",
            b"\xe7\x81\x00\xa0\x80",
            b"",
        ):
            self.assertRaises(WireError, parse_cluster, data)


class FrontTests(SynchronousTestCase):
    def test_open_and_closed_are_as_long(self) -> None:
        """Closing a block needs no room that an open one does not have."""
        front = build_front(INFO_OPEN, version=4)
        info = Info(INFO_OPEN.date_us, "axis_nvr", "axis_nvr 0.1.0", duration_ms=300_000.0)
        closed = build_front(info, version=4, closing=Closing(5000, 4000, 4500))
        self.assertEqual(len(front.data), len(closed.data))
        self.assertEqual(front.segment_start, closed.segment_start)

    def test_the_parts_are_where_the_seek_head_says(self) -> None:
        """Info and Tracks are found from the start, Cues and Tags once the block is closed."""
        tracks = build_tracks([VIDEO])
        info = Info(INFO_OPEN.date_us, "a", "b", duration_ms=1.0)
        front = build_front(info, closing=Closing(777, 600, 700))
        segment = (front.data + tracks)[front.segment_start :]
        first, second, third = iterate_elements(segment)
        seek_head = SEEK_HEAD.parse(segment[: second.offset])
        self.assertEqual(seek_head.info.position, second.offset)
        self.assertEqual(seek_head.tracks.position, third.offset)
        self.assertEqual((seek_head.cues.position, seek_head.tags.position), (600, 700))
        self.assertEqual([first.id, second.id, third.id], [Id.SEEK_HEAD, Id.INFO, Id.TRACKS])
        self.assertEqual(INFO.parse(segment[second.offset : third.offset]).duration, 1.0)

    def test_the_header_is_readable(self) -> None:
        """DocType matroska, version 2, and the Segment's size is unknown while open."""
        front = build_front(INFO_OPEN)
        self.assertEqual(
            front.data[front.segment_start - 8 : front.segment_start], b"\1" + 7 * b"\xff"
        )
        header = next(iterate_elements(front.data[: front.segment_start - 12]))
        check_doc_type(header.data)
        self.assertEqual(parse_master(header.data).get(Id.DOC_TYPE_VERSION), 2)

    def test_foreign_documents_are_refused(self) -> None:
        """Another document type, or a version this cannot read, is no block."""
        self.assertRaises(WireError, check_doc_type, b"\x42\x82\x83abc")
        self.assertRaises(WireError, check_doc_type, b"\x42\x85\x81\x05")

    def test_info_reads_back(self) -> None:
        """The date to the microsecond, and no duration while open."""
        data = INFO.build(
            {
                "timestamp_scale": 1_000_000,
                "duration": None,
                "date": INFO_OPEN.date_us * 1000 - 978_307_200_000_000_000,
                "muxing_app": "axis_nvr",
                "writing_app": "axis_nvr 0.1.0",
            }
        )
        self.assertEqual(parse_info(only(data).data), INFO_OPEN)
        self.assertIs(check_crc(only(data).data), True)

    def test_another_time_scale_is_refused(self) -> None:
        """Everything here counts milliseconds; a file that does not is not misread."""
        self.assertRaises(WireError, parse_info, b"\x2a\xd7\xb1\x81\x01")


class TableTests(SynchronousTestCase):
    def test_tracks_read_back(self) -> None:
        """Every field of video and audio tracks survives."""
        data = build_tracks([VIDEO, AUDIO])
        self.assertEqual(parse_tracks(only(data).data), (VIDEO, AUDIO))
        self.assertEqual(len(TRACKS.parse(data)), 2)

    def test_no_track_is_no_block(self) -> None:
        """A file without tracks is refused, and numbers that frames could not name."""
        self.assertRaises(WireError, parse_tracks, b"")
        self.assertRaises(WireError, build_tracks, [VIDEO, VIDEO])
        self.assertRaises(WireError, build_tracks, [replace(VIDEO, number=127)])

    @settings(max_examples=50, deadline=None, derandomize=True)
    @given(
        st.lists(
            st.builds(
                CuePoint, st.integers(0, 1 << 48), st.integers(1, 126), st.integers(0, 1 << 48)
            ),
            max_size=20,
        )
    )
    def test_cues(self, points: list[CuePoint]) -> None:
        """The fast path writes what is described, and it reads back."""
        described = [
            {"time_ms": p.time_ms, "positions": {"track": p.track, "position": p.position}}
            for p in points
        ]
        data = build_cues(points)
        self.assertEqual(data, CUES.build(described))
        self.assertEqual(parse_cues(only(data).data), points)

    def test_tags(self) -> None:
        """Names and texts survive, any script."""
        tags = [("GAP", "2024 … packets-lost"), ("GAP", "")]
        data = build_tags(tags)
        self.assertEqual(parse_tags(only(data).data), tags)
        self.assertEqual(len(TAGS.parse(data)), 2)

    def test_depth_and_number_are_bounded(self) -> None:
        """A tower of masters ends in `WireError`, not in the interpreter's stack."""
        data = b""
        for _ in range(20):
            data = b"\x73\x73\x08" + len(data).to_bytes(4, "big") + data
            data = b"\x73\x73" + (1 << 28 | len(data)).to_bytes(4, "big") + data
        self.assertRaises(WireError, parse_master, data)
