"""Formats made of parameter sets."""

from fractions import Fraction

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.media import formats
from axis_nvr.media.units import Codec, VideoFormat
from axis_nvr.wire.nal import nal_units_from_sprop

#: A Wyze camera's sprop-parameter-sets: 1920x1080, 20 fps.
WYZE = nal_units_from_sprop("J00AKedAPAET8s1AQEB8AAADAAQAAAMAoNGADqYAFfl//wKA,KO48gA==")
#: The same scene in another size: a Reolink doorbell in band, 640x480.
REOLINK = bytes.fromhex("67640033ac1514a0a03da1000004f6000063380404")


class H264FormatTests(SynchronousTestCase):
    def test_format(self) -> None:
        """The format tells size and frame rate, and holds the sets in order."""
        sps, pps = WYZE
        made = formats.h264_format([sps], [pps])
        self.assertEqual((made.codec, made.width, made.height), (Codec.H264, 1920, 1080))
        self.assertEqual(made.frame_rate, Fraction(20))
        self.assertEqual(made.parameter_sets, (sps, pps))

    def test_repeated_sets_are_the_same_object(self) -> None:
        """Repeated sets, with zero bytes at the end or twice in a list, make no new format."""
        sps, pps = WYZE
        made = formats.h264_format([sps], [pps])
        self.assertIs(formats.h264_format((sps + b"\0\0",), (pps, pps + b"\0")), made)

    def test_other_sets_are_another_format(self) -> None:
        """Another SPS makes an unequal format."""
        sps, pps = WYZE
        made = formats.h264_format([sps], [pps])
        other = formats.h264_format([REOLINK], [pps])
        self.assertNotEqual(other, made)
        self.assertEqual((other.width, other.height), (640, 480))

    def test_missing(self) -> None:
        """Without one kind of set there is no format."""
        for sps, pps in ([], WYZE[1:]), (WYZE[:1], []), ([b""], WYZE[1:]):
            with self.assertRaises(WireError):
                formats.h264_format(sps, pps)


class H265FormatTests(SynchronousTestCase):
    #: A Reolink 811's sprop-vps, -sps and -pps: 3840x2160, no frame rate.
    VPS, SPS, PPS = nal_units_from_sprop(
        "QAEMAf//AWAAAAMAAAMAAAMAAAMAlqwJ,"
        "QgEBAWAAAAMAAAMAAAMAAAMAlqAB4CACHH+KrTuiS7I=,"
        "RAHAcvCJBAcONkg="
    )

    def test_format(self) -> None:
        """The format tells the size and holds the sets in order; repeated it is the same."""
        made = formats.h265_format([self.VPS], [self.SPS], [self.PPS])
        self.assertEqual((made.codec, made.width, made.height), (Codec.H265, 3840, 2160))
        self.assertIsNone(made.frame_rate)
        self.assertEqual(made.parameter_sets, (self.VPS, self.SPS, self.PPS))
        self.assertIs(formats.h265_format([self.VPS + b"\0"], [self.SPS], [self.PPS]), made)

    def test_a_vps_may_be_missing_or_broken(self) -> None:
        """Without a VPS, or with one that cannot be read, there is a format nevertheless."""
        for vps in [], [self.VPS[:5]]:
            self.assertEqual(formats.h265_format(vps, [self.SPS], [self.PPS]).width, 3840)

    def test_missing(self) -> None:
        """Without SPS or PPS there is none."""
        for sps, pps in ([], [self.PPS]), ([self.SPS], []):
            with self.assertRaises(WireError):
                formats.h265_format([self.VPS], sps, pps)


class JpegFormatTests(SynchronousTestCase):
    def test_format(self) -> None:
        """A JPEG format is its size."""
        self.assertEqual(formats.jpeg_format(640, 480), VideoFormat(Codec.JPEG, b"", 640, 480))
