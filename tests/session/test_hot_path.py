"""The hot path of interleaved media, held equal to the general one."""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import event, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import AccessUnit, Codec, Format
from axis_nvr.session import interleaved as interleaved_module
from axis_nvr.session.media import SessionStatistics
from axis_nvr.session.media_track import MediaTrack, TrackStatistics
from tests.session.depacketizers import payloads as p
from tests.session.streams import START_US, Recorder, Sender, interleaved, report, track

REPLY = b"RTSP/1.0 200 OK\r\nCSeq: 4\r\n\r\n"

H264_NALS = [p.H264_SPS, p.H264_PPS, b"\x06\x05\x01\x00\x80"]
H265_NALS = [p.H265_VPS, p.H265_SPS, p.H265_PPS, b"\x4e\x01\x05\x01\x00\x80"]


@dataclass(frozen=True)
class Feature:
    """Something that happens to the packet at some place of a stream."""

    kind: str
    place: int
    value: int


features = st.builds(
    Feature,
    st.sampled_from(
        [
            "drop",
            "swap",
            "double",
            "marker",
            "reply",
            "audio",
            "report",
            "ssrc",
            "timestamp",
            "payload type",
            "empty",
            "flip",
            "extension",
            "padding",
            "line end",
            "unassigned",
        ]
    ),
    st.integers(0, 120),
    st.integers(0, 255),
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[Codec, bytes]:
    """A stream of pictures in fragments, odd in some places."""
    codec = draw(st.sampled_from([Codec.H264, Codec.H265]))
    video = Sender(sequence_number=draw(st.sampled_from([0, 65_500, 65_530, 30_000])))
    audio = Sender(payload_type=8, ssrc=77)
    sizes = draw(st.lists(st.integers(10, 120), min_size=2, max_size=12))
    fragment = draw(st.sampled_from([7, 20, 20, 33]))
    packets: list[bytes] = []
    for index, size in enumerate(sizes):
        if codec is Codec.H264:
            first = p.IDR if index % 4 == 0 else p.P
            parts = (H264_NALS if index % 4 == 0 else []) + p.fu_a(first + b"\x42" * size, fragment)
        else:
            first = p.H265_IDR if index % 4 == 0 else p.H265_P
            parts = (H265_NALS if index % 4 == 0 else []) + p.fu(first + b"\x42" * size, fragment)
        packets += video.unit(parts, 0xFFFF_0000 + 3000 * index & 0xFFFF_FFFF)
    frames = [interleaved(0, packet) for packet in packets]
    for feature in draw(st.lists(features, max_size=8)):
        place = feature.place % len(frames)
        event(feature.kind)
        frames[place : place + 2] = changed(feature, frames[place : place + 2], audio)
    return codec, b"".join(frames)


def changed(feature: Feature, frames: list[bytes], audio: Sender) -> list[bytes]:
    """Let something happen to the first of two frames, or before it."""
    frame, others = frames[0], frames[1:]
    value = feature.value

    if len(frame) < 18 or frame[0] != 0x24:  # what an earlier feature has put there
        return frames

    def patched(offset: int, with_: int) -> list[bytes]:
        if offset >= len(frame):
            return frames
        return [frame[:offset] + bytes((with_,)) + frame[offset + 1 :], *others]

    match feature.kind:
        case "drop":
            return others
        case "swap":
            return [*others, frame]
        case "double":
            return [frame, frame, *others]
        case "marker":
            return patched(5, frame[5] ^ 0x80)
        case "reply":
            return [REPLY, *frames]
        case "line end":
            return [b"\r\n", *frames]
        case "audio":
            return [interleaved(2, audio.packet(bytes(20), 160 * value, False)), *frames]
        case "report":
            stamp = 0xFFFF_0000 + 300 * value
            return [interleaved(1, report(stamp, START_US + 100_000_000)), *frames]
        case "ssrc":
            return patched(15, value)
        case "timestamp":
            return patched(11, value)
        case "payload type":
            return patched(5, value)
        case "empty":
            return [interleaved(0, frame[4:18]), *others]
        case "flip":
            return patched(16 + value % 20, value)
        case "unassigned":
            return [interleaved(9, frame[4:]), *frames]
        case "extension":
            packet = bytes((frame[4] | 0x10,)) + frame[5:16] + b"\xab\xac\0\1abcd" + frame[16:]
            return [interleaved(0, packet), *others]
        case "padding":
            packet = bytes((frame[4] | 0x20,)) + frame[5:] + b"\0\0\3"
            return [interleaved(0, packet), *others]
    raise AssertionError(feature)


Outcome = tuple[list[AccessUnit], dict[int, TrackStatistics], SessionStatistics, int]


def receive(codec: Codec, reads: list[bytes]) -> Outcome:
    """What comes of a stream, in these reads 10 ms apart."""
    tracks = [track(0, codec), track(1, Codec.PCMA, payload_type=8, clock_rate=8000)]
    recorder = Recorder(tracks)
    messages = 0
    for index, data in enumerate(reads):
        messages += len(recorder.feed(data, 100.0 + 0.01 * index))
    recorder.media.finish()
    media = recorder.media
    return recorder.units, media.statistics(), media.session_statistics, messages


def shown(unit: AccessUnit) -> tuple[int, bytes, bool, Format]:
    """What of a unit does not depend on when it came."""
    return unit.timestamp, bytes(unit.data), unit.sync, unit.format


class EqualityTests(SynchronousTestCase):
    def general(self, codec: Codec, reads: list[bytes]) -> Outcome:
        """The same with every packet going the general way."""
        patch = self.patch(MediaTrack, "run", lambda track, channel: None)
        try:
            return receive(codec, reads)
        finally:
            patch.restore()

    @settings(max_examples=150, deadline=None)
    @given(streams(), st.lists(st.integers(0, 3000), max_size=10))
    def test_the_hot_path_is_the_general_one(
        self, stream: tuple[Codec, bytes], cuts: list[int]
    ) -> None:
        """Same units, same gaps, same statistics, wherever the stream is cut."""
        codec, data = stream
        places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
        reads = [data[begin:end] for begin, end in pairwise(places)]
        self.assertEqual(receive(codec, reads), self.general(codec, reads))

    @settings(max_examples=40, deadline=None)
    @given(streams(), st.integers(1, 60))
    def test_cuts_change_nothing(self, stream: tuple[Codec, bytes], size: int) -> None:
        """The same units come out whole or in small reads; only their arrival differs."""
        codec, data = stream
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        whole, cut = receive(codec, [data])[0], receive(codec, pieces)[0]
        self.assertEqual(
            [shown(unit) for unit in whole if not unit.track],
            [shown(unit) for unit in cut if not unit.track],
        )

    def test_it_is_used(self) -> None:
        """Of the packets of a picture all but the first go the hot way."""
        sender = Sender(sequence_number=10)
        nal = p.IDR + bytes(1000)
        stream = b"".join(interleaved(0, packet) for packet in sender.unit(p.fu_a(nal, 10), 9000))
        slow: list[int] = []
        take = MediaTrack.receive_packet

        def counted(track: MediaTrack, data: memoryview, now: float, now_us: int) -> None:
            slow.append(len(data))
            take(track, data, now, now_us)

        self.patch(MediaTrack, "receive_packet", counted)
        recorder = Recorder([track()])
        recorder.feed(stream)
        self.assertEqual(len(slow), 1)
        self.assertEqual(recorder.media.statistics()[0].packets, 101)

    def test_the_sequence_number_wraps(self) -> None:
        """A run ends there: a carry must not be taken for the next payload type."""
        sender = Sender(sequence_number=65_530)
        packets = [sender.packet(f, 9000, False) for f in p.fu_a(p.IDR + bytes(200), 10)[:12]]
        packets[6] = packets[6][:1] + b"\x61" + packets[6][2:]
        reads = [b"".join(interleaved(0, packet) for packet in packets)]
        outcome = receive(Codec.H264, reads)
        self.assertEqual(outcome, self.general(Codec.H264, reads))
        self.assertEqual(outcome[1][0].foreign, 1)

    def test_a_foreign_packet_within_a_picture(self) -> None:
        """Loss before it, and its timestamp, are not forgotten."""
        sender = Sender(sequence_number=10)
        packets = [sender.packet(f, 9000, False) for f in p.fu_a(p.IDR + bytes(200), 10)[:12]]
        foreign = packets[5][:1] + b"\x61" + packets[5][2:4] + b"\0\0\0\5" + packets[5][8:]
        for lost in ([], [4]):
            changed = [*packets[:5], foreign, *packets[6:]]
            kept = [packet for index, packet in enumerate(changed) if index not in lost]
            reads = [interleaved(0, packet) for packet in kept]
            outcome = receive(Codec.H264, reads)
            self.assertEqual(outcome, self.general(Codec.H264, reads))
            self.assertEqual(outcome[1][0].lost, len(lost))

    def test_fragments_behind_the_end(self) -> None:
        """A middle fragment that follows the last one begins nowhere, and is not appended."""
        for loss in (False, True):
            sender = Sender(sequence_number=10)
            fragments = p.fu_a(p.IDR + bytes(100), 10)
            packets = sender.unit(fragments, 9000)
            packets += [sender.packet(f, 9000, False) for f in fragments[1:4]]
            packets += sender.unit(p.fu_a(p.P + bytes(100), 10), 12_000)
            if loss:
                del packets[len(fragments) - 2]
            reads = [b"".join(interleaved(0, packet) for packet in packets)]
            self.assertEqual(receive(Codec.H264, reads), self.general(Codec.H264, reads))

    def test_a_last_fragment_without_marker(self) -> None:
        """It ends its NAL unit and not the picture: another slice follows."""
        sender = Sender(sequence_number=10)
        first = p.fu_a(p.P + bytes(50), 10)
        pictures = [H264_NALS[:2] + first, first, *[first + p.fu_a(p.LATER_P + bytes(50), 10)] * 3]
        data = b""
        for index, parts in enumerate(pictures):
            data += b"".join(interleaved(0, q) for q in sender.unit(parts, 9000 * index))
        outcome = receive(Codec.H264, [data])
        self.assertEqual(outcome, self.general(Codec.H264, [data]))
        self.assertEqual([len(unit.data) for unit in outcome[0]], [57, 57, 114, 114, 114])

    def test_the_largest_unit(self) -> None:
        """A unit does not grow past its limit on the hot path either."""
        self.patch(interleaved_module, "MAX_SHAPES", 1)
        sender = Sender()
        recorder = Recorder([track()])
        content = bytes(60_000)
        recorder.feed(interleaved(0, sender.packet(b"\x7c\x85\x88" + content, 1, False)))
        for _ in range(300):
            recorder.feed(interleaved(0, sender.packet(b"\x7c\x05" + content, 1, False)))
        (media_track,) = recorder.media._tracks.values()
        assert media_track._nal_units is not None
        self.assertLess(len(media_track._nal_units.unit), 100_000)
        self.assertEqual(recorder.media.statistics()[0].packets, 301)
