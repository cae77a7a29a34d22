"""Every format that can be recorded can be sent, and comes out as it went in."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.media.formats import h264_format, h265_format, jpeg_format
from axis_nvr.media.units import AccessUnit, AudioFormat, Codec, Format, MetadataFormat
from axis_nvr.session.depacketizers import Frame, depacketizer_for
from axis_nvr.session.packetizers import samples
from axis_nvr.session.packetizers.choose import Burst, offered_track, packetizer_for
from axis_nvr.session.server.description import describe
from axis_nvr.session.server.presentation_url import parse_url
from axis_nvr.session.tracks import describe_tracks
from axis_nvr.wire.jpeg import build_jpeg_header, quantization_tables
from axis_nvr.wire.nal import join_sample
from axis_nvr.wire.opus import build_opus_head
from axis_nvr.wire.sdp import parse_session
from tests.session.depacketizers import payloads

URL = parse_url("rtsp://h/axis-media/media.amp")
H264 = h264_format([payloads.H264_SPS], [payloads.H264_PPS])
OTHER_H264 = h264_format([payloads.OTHER_H264_SPS], [payloads.OTHER_H264_PPS])
H265 = h265_format([payloads.H265_VPS], [payloads.H265_SPS], [payloads.H265_PPS])
AAC = AudioFormat(Codec.AAC, bytes.fromhex("1408"), 16000, 1)
OPUS = AudioFormat(Codec.OPUS, build_opus_head(2), 48000, 2)
PCMA = AudioFormat(Codec.PCMA, b"", 8000, 1, 8)
WIDE_PCMU = AudioFormat(Codec.PCMU, b"", 16000, 2, 8)
L16 = AudioFormat(Codec.L16, b"", 44100, 2, 16)
G726 = {bits: AudioFormat(Codec.G726, b"", 8000, 1, bits) for bits in (2, 3, 4, 5)}
TABLES = bytes(range(1, 129))


def unit(format_: Format, data: bytes, sync: bool = True) -> AccessUnit:
    """One unit at 1000 ticks."""
    return AccessUnit(0, 0, 1000, sync, data, format_)


def bursts(one: AccessUnit, limit: int = 1388) -> list[Burst]:
    """Lay a unit into packets."""
    packetize = packetizer_for(one.format)
    assert packetize is not None
    return packetize(one, limit)


def through(units: Sequence[AccessUnit], limit: int) -> list[Frame]:
    """Describe a track, send its units, and return what a client makes of them."""
    offered = offered_track(units[0].format)
    assert offered is not None
    text = describe([offered], URL, number=1, address="10.0.0.2")
    (track,) = describe_tracks(parse_session(text), URL.content_base)
    depacketizer = depacketizer_for(track)
    found: list[Frame] = []
    for number, one in enumerate(units):
        for burst in bursts(one, limit):
            for place, payload in enumerate(burst.payloads):
                marker = burst.marker and place == len(burst.payloads) - 1
                ticks = 9000 * number + burst.ticks
                found += depacketizer.push(memoryview(payload), ticks, marker, 0)
    return [*found, *depacketizer.flush()]


def picture(kind: int, size: int, *, precision: int = 0, interval: int = 0) -> bytes:
    """A JPEG file with a scan of `size` bytes."""
    wide = bytes(64 * ((precision & 1) + (precision >> 1)))
    header = build_jpeg_header(
        kind, 640, 360, TABLES + wide, precision=precision, restart_interval=interval
    )
    return header + bytes(n % 251 for n in range(size)) + b"\xff\xd9"


class RoundTripTests(SynchronousTestCase):
    def assert_survives(self, format_: Format, data: Sequence[bytes], limit: int) -> None:
        """What goes in comes out, in as many frames."""
        found = through([unit(format_, one) for one in data], limit)
        self.assertEqual([bytes(frame.data) for frame in found], list(data))
        self.assertEqual({frame.format for frame in found}, {format_})
        self.assertFalse(any(frame.damaged for frame in found))

    @settings(max_examples=25, deadline=None)
    @given(
        st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=4),
        st.integers(64, 1500),
    )
    def test_frames_of_sound_and_documents(self, frames: list[bytes], limit: int) -> None:
        """AAC frames and documents survive at any packet size."""
        self.assert_survives(AAC, frames, limit)
        documents = [b"<a>" + frame.hex().encode() + b"</a>" for frame in frames]
        self.assert_survives(MetadataFormat(), documents, limit)

    def test_pictures(self) -> None:
        """H.264 and H.265 samples survive, also before the description told of their sets."""
        for format_, key, other in (
            (H264, payloads.IDR, payloads.P),
            (H265, payloads.H265_IDR, payloads.H265_P),
        ):
            for limit in (100, 1388, 60000):
                key_picture = join_sample([key + bytes(range(1, 250)) * 20, key[:2] + b"\x11" * 9])
                data = [key_picture, join_sample([other + b"\x55" * 500])]
                sent = [unit(format_, data[0]), unit(format_, data[1], sync=False)]
                found = through(sent, limit)
                self.assertEqual([bytes(frame.data) for frame in found], data)
                self.assertEqual([frame.sync for frame in found], [True, False])
                self.assertEqual({frame.format for frame in found}, {format_})

    def test_motion_jpeg(self) -> None:
        """Pictures of both samplings survive, with wide tables, restart markers, in any parts."""
        for kind, precision, interval in ((0, 0, 0), (1, 0, 0), (64, 0, 4), (65, 3, 9), (1, 1, 0)):
            for limit in (90, 1388, 60000):
                whole = picture(kind, 5000, precision=precision, interval=interval)
                self.assert_survives(jpeg_format(640, 360), [whole, whole], limit)

    def test_pictures_of_one_table(self) -> None:
        """A table that serves luminance and chrominance is sent for each of them."""
        header = build_jpeg_header(1, 64, 64, TABLES[:64])
        (frame,) = through([unit(jpeg_format(64, 64), header + b"scan\xff\xd9")], 1388)
        expected = build_jpeg_header(1, 64, 64, TABLES[:64] * 2) + b"scan\xff\xd9"
        self.assertEqual(bytes(frame.data), expected)

    def test_opus(self) -> None:
        """Packets survive whole, whatever the limit: they cannot be cut."""
        frames = [b"\xfc" + bytes(n) for n in (1, 100, 1275)]
        self.assert_survives(OPUS, frames, 600)

    def test_samples(self) -> None:
        """Samples survive in packets that never part one, each at its own time."""
        for format_ in (PCMA, WIDE_PCMU, L16, *G726.values()):
            grain = samples.grain_of(format_)
            data = bytes(n % 253 for n in range(grain.size_bytes * 300))
            found = through([unit(format_, data)], 101)
            self.assertEqual(b"".join(bytes(frame.data) for frame in found), data)
            self.assertEqual({frame.format for frame in found}, {format_})
            place = 0
            for frame in found:
                self.assertEqual(len(frame.data) % grain.size_bytes, 0)
                self.assertEqual(frame.timestamp, place // grain.size_bytes * grain.samples)
                place += len(frame.data)


class BurstTests(SynchronousTestCase):
    def test_parameter_sets_go_before_each_key_frame(self) -> None:
        """Those of the unit's own format, behind a delimiter, and before key frames only."""
        for format_, delimiter, key in (
            (H264, b"\x09\xf0", payloads.IDR),
            (OTHER_H264, b"\x09\xf0", payloads.IDR),
            (H265, b"\x46\x01\x50", payloads.H265_IDR),
        ):
            sets = list(format_.parameter_sets)
            (burst,) = bursts(unit(format_, join_sample([key])))
            self.assertEqual(burst.payloads, [*sets, key])
            (burst,) = bursts(unit(format_, join_sample([delimiter, key])))
            self.assertEqual(burst.payloads, [delimiter, *sets, key])
            (burst,) = bursts(unit(format_, join_sample([delimiter, key]), sync=False))
            self.assertEqual(burst.payloads, [delimiter, key])

    def test_markers(self) -> None:
        """End a frame; those of plain sound would say that silence ended."""
        for format_, data, marker in (
            (H264, join_sample([payloads.IDR]), True),
            (AAC, b"frame", True),
            (MetadataFormat(), b"<a/>", True),
            (OPUS, b"\xfc\x01", False),
            (PCMA, b"\xd5", False),
        ):
            self.assertEqual([one.marker for one in bursts(unit(format_, data))], [marker])

    def test_nothing_makes_no_packets(self) -> None:
        """A unit without data is no burst."""
        for format_ in (PCMA, OPUS, AAC, MetadataFormat()):
            self.assertEqual(bursts(unit(format_, b"")), [])

    def test_what_rtp_cannot_carry_is_refused(self) -> None:
        """An AAC frame beyond 13 bits, a sample cut off, other JPEG files."""
        for format_, data in (
            (AAC, bytes(8192)),
            (H264, b"\0\0\0\x09cut"),
            (jpeg_format(8, 8), b"GIF89a"),
        ):
            with self.assertRaises(WireError):
                bursts(unit(format_, data))


class OfferTests(SynchronousTestCase):
    def test_descriptions(self) -> None:
        """Static payload types where the RFC has them, dynamic ones elsewhere."""
        for format_, number, encoding in (
            (H264, 96, "H264/90000"),
            (H265, 96, "H265/90000"),
            (jpeg_format(640, 360), 26, "JPEG/90000"),
            (AAC, 97, "MPEG4-GENERIC/16000/1"),
            (OPUS, 97, "OPUS/48000/2"),
            (PCMA, 8, "PCMA/8000"),
            (WIDE_PCMU, 97, "PCMU/16000/2"),
            (L16, 97, "L16/44100/2"),
            (G726[5], 97, "G726-40/8000"),
            (MetadataFormat(), 98, "vnd.onvif.metadata/90000"),
        ):
            offered = offered_track(format_)
            assert offered is not None
            self.assertEqual((offered.payload_type, offered.encoding), (number, encoding))

    def test_a_frame_rate_is_told_if_it_is_known(self) -> None:
        """Only then."""
        for rate, expected in ((None, False), (Fraction(25), True)):
            offered = offered_track(replace(H264, frame_rate=rate))
            assert offered is not None
            self.assertEqual(("framerate", "25.000000") in offered.attributes, expected)

    def test_video_without_parameter_sets_is_not_offered(self) -> None:
        """A client could not begin to decode it."""
        self.assertIsNone(offered_track(type(H264)(Codec.H264, b"", 640, 360)))


class QTests(SynchronousTestCase):
    def test_tables_of_a_low_q_come_in_band(self) -> None:
        """A picture that came with a Q of its tables goes on with the tables themselves."""
        header = build_jpeg_header(1, 640, 480, quantization_tables(50))
        (burst,) = bursts(unit(jpeg_format(640, 480), header + b"s\xff\xd9"))
        (payload,) = burst.payloads
        self.assertEqual(payload[4:8], bytes((1, 255, 80, 60)))
        self.assertEqual(payload[8:12], b"\0\0\0\x80")
        self.assertEqual(payload[12:], quantization_tables(50) + b"s")
