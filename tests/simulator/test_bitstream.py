"""The bundled media keep the rules that serving them relies on."""

from fractions import Fraction
from importlib.resources import files

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import LocalProtocolError
from axis_nvr.media.units import Codec
from axis_nvr.simulator import bitstream
from axis_nvr.wire import h264, nal

ALL = [(c, *r) for c in bitstream.VIDEO_CODECS for r in bitstream.RESOLUTIONS]


class VideoTests(SynchronousTestCase):
    def test_one_intra_picture_then_only_others(self) -> None:
        """Each file has at least 300 pictures of one slice, and only the first is intra."""
        for video in ALL:
            stream = bitstream.video_bitstream(*video)
            irap, kind_of = nal.H264_IRAP, nal.h264_nal_type
            if stream.codec is Codec.H265:
                irap, kind_of = nal.H265_IRAP, nal.h265_nal_type  # type: ignore[assignment]
            self.assertGreaterEqual(len(stream.pictures), 300)
            intra = [n for n, picture in enumerate(stream.pictures) if kind_of(picture[0]) in irap]
            self.assertEqual(intra, [0])
            self.assertEqual({len(picture) for picture in stream.pictures}, {1})
            self.assertEqual(len(stream.parameter_sets), 2 if stream.codec is Codec.H264 else 3)

    def test_parameter_sets_stand_before_the_intra_picture_only(self) -> None:
        """A decoder that joins at an intra picture needs nothing that came before."""
        stream = bitstream.video_bitstream(Codec.H265, 640, 360)
        self.assertEqual(stream.units(0)[:3], stream.parameter_sets)
        self.assertEqual(len(stream.units(1)), 1)

    def test_the_parameter_sets_tell_the_rate_asked_for(self) -> None:
        """30 pictures a second become 25, 1 or 29.97, and nothing else changes."""
        for rate in (Fraction(25), Fraction(1), Fraction(30000, 1001)):
            stream = bitstream.video_bitstream(Codec.H264, 1280, 720).at_rate(rate)
            sps = h264.parse_sps(stream.parameter_sets[0])
            self.assertEqual((sps.width, sps.height, sps.frame_rate), (1280, 720, rate))

    def test_the_rate_of_h265_too(self) -> None:
        """The set changes where the clock stands, and turns back to the same bytes."""
        native = bitstream.video_bitstream(Codec.H265, 1280, 720)
        other = native.at_rate(Fraction(15))
        self.assertNotEqual(native.parameter_sets[1], other.parameter_sets[1])
        back = bitstream.with_frame_rate(other.parameter_sets[1], Fraction(15), Fraction(30), 1)
        self.assertEqual(back, native.parameter_sets[1])

    def test_intra_pictures_in_a_row_are_told_apart(self) -> None:
        """``idr_pic_id`` alternates by one bit; H.265 has no such number."""
        for video in ALL[:3]:
            stream = bitstream.video_bitstream(*video)
            even, odd = stream.units(0)[-1], stream.units(0, odd=True)[-1]
            bits = int.from_bytes(even, "big") ^ int.from_bytes(odd, "big")
            self.assertEqual(bits.bit_count(), 1)
        stream = bitstream.video_bitstream(Codec.H265, 640, 360)
        self.assertEqual(stream.units(0), stream.units(0, odd=True))

    def test_payloads_are_made_once(self) -> None:
        """Viewers with the same packet size share the payloads."""
        stream = bitstream.video_bitstream(*ALL[0])
        first = stream.payloads(1, 1400)
        self.assertIs(stream.at_rate(Fraction(5)).payloads(1, 1400), first)
        self.assertLessEqual(max(map(len, first)), 1400)

    def test_what_is_not_bundled_is_our_mistake(self) -> None:
        """Asking for another resolution is an error of the caller."""
        with self.assertRaises(LocalProtocolError):
            bitstream.video_bitstream(Codec.H264, 800, 600)

    def test_the_bundle_stays_small(self) -> None:
        """All files together take less than three megabytes."""
        folder = files("axis_nvr.simulator").joinpath("bitstreams")
        self.assertLess(sum(len(f.read_bytes()) for f in folder.iterdir()), 3_000_000)


class SoundTests(SynchronousTestCase):
    def test_ten_seconds_of_aac(self) -> None:
        """The sound lasts about 10 s and every frame fits its 13 bits."""
        frames = bitstream.aac_frames()
        seconds = len(frames) * bitstream.AAC_FRAME_SAMPLES / bitstream.AAC_SAMPLE_RATE
        self.assertAlmostEqual(seconds, 10.3, places=1)
        self.assertEqual(len(bitstream.aac_payloads(0, 1400)), 1)

    def test_ten_seconds_of_g711(self) -> None:
        """Every payload is whole, so that looping keeps the time."""
        payloads = bitstream.g711_payloads()
        self.assertEqual({len(p) for p in payloads}, {bitstream.G711_PACKET_SAMPLES})
        self.assertEqual(len(payloads), 512)
