"""Parameter sets from the SDP, in band, both, changing, broken."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media import parameter_sets
from axis_nvr.media.parameter_sets import ParameterSets
from axis_nvr.media.units import Codec
from axis_nvr.wire.nal import nal_units_from_sprop

SPS, PPS = nal_units_from_sprop("J00AKedAPAET8s1AQEB8AAADAAQAAAMAoNGADqYAFfl//wKA,KO48gA==")
#: A Reolink doorbell: the SPS of its SDP, and the one it sends in band, with VUI and a byte
#: behind its end.
REOLINK_SDP = bytes.fromhex("67640033ac1514a0a03d90")
REOLINK_IN_BAND = bytes.fromhex("67640033ac1514a0a03da1000004f6000063380404")
#: A Reolink 811: 3840x2160, scaling lists in the PPS.
H265_SETS = nal_units_from_sprop(
    "QAEMAf//AWAAAAMAAAMAAAMAAAMAlqwJ,QgEBAWAAAAMAAAMAAAMAAAMAlqAB4CACHH+KrTuiS7I=,RAHAcvCJBAcONkg="
)


def learned(codec: Codec, *units: bytes) -> ParameterSets:
    sets = ParameterSets(codec)
    for unit in units:
        sets.learn(unit)
    return sets


class H264Tests(SynchronousTestCase):
    def test_nothing_known(self) -> None:
        """Without SPS or PPS there is no format yet."""
        self.assertIsNone(learned(Codec.H264).format)
        self.assertIsNone(learned(Codec.H264, SPS).format)
        self.assertIsNone(learned(Codec.H264, PPS).format)

    def test_any_order(self) -> None:
        """SPS and PPS make the same format in any order."""
        made = learned(Codec.H264, PPS, SPS).format
        assert made is not None
        self.assertIs(learned(Codec.H264, SPS, PPS).format, made)
        self.assertEqual((made.width, made.height, made.frame_rate), (1920, 1080, Fraction(20)))

    def test_repeated(self) -> None:
        """Repeated sets, also with zeros at the end, change nothing and keep the object."""
        sets = learned(Codec.H264, SPS, PPS)
        made = sets.format
        for unit in (SPS, PPS, SPS + b"\0", PPS + b"\0\0\3"):
            self.assertFalse(sets.learn(unit))
        self.assertIs(sets.format, made)

    def test_changed_in_mid_stream(self) -> None:
        """An SPS with the same id replaces the one before; the PPS stays."""
        sets = learned(Codec.H264, SPS, PPS)
        before = sets.format
        self.assertTrue(sets.learn(REOLINK_SDP))
        after = sets.format
        assert before is not None
        assert after is not None
        self.assertNotEqual(after, before)
        self.assertEqual((after.width, after.height), (640, 480))
        self.assertEqual(after.parameter_sets, (REOLINK_SDP, PPS))

    def test_in_band_differs_from_sdp(self) -> None:
        """Reolink: the SPS in band, with a byte behind its end, is taken and tells the rate."""
        sets = learned(Codec.H264, REOLINK_SDP, PPS)
        assert sets.format is not None
        self.assertIsNone(sets.format.frame_rate)
        self.assertTrue(sets.learn(REOLINK_IN_BAND))
        self.assertEqual(sets.format.frame_rate, Fraction(10))
        self.assertEqual(sets.refused, 0)

    def test_broken_set_keeps_the_last_good(self) -> None:
        """A set that cannot be read is counted and changes nothing."""
        sets = learned(Codec.H264, SPS, PPS)
        made = sets.format
        self.assertFalse(sets.learn(SPS[:6]))
        self.assertEqual(sets.refused, 1)
        self.assertIs(sets.format, made)

    def test_others_are_ignored(self) -> None:
        """A slice or nothing at all is no parameter set, and no error."""
        sets = learned(Codec.H264, SPS, PPS)
        for unit in (b"", b"\x65\x88", b"\x09\xf0"):
            self.assertFalse(sets.learn(unit))
        self.assertEqual(sets.refused, 0)

    def test_bounded_count(self) -> None:
        """PPS with ever new ids stop at the limit; known ones still change."""
        sets = learned(Codec.H264, SPS, PPS)
        for number in range(1, 200):
            code = f"{number + 1:b}"
            bits = "0" * (len(code) - 1) + code + "1" + "0" + "0" + "1" * 3 + "000" + "111" + "0001"
            bits += "0" * (-len(bits) % 8)
            sets.learn(b"\x68" + int(bits, 2).to_bytes(len(bits) // 8, "big"))
        assert sets.format is not None
        self.assertEqual(len(sets.format.parameter_sets), 1 + parameter_sets.MAX_HELD_SETS)
        self.assertEqual(sets.refused, 200 - parameter_sets.MAX_HELD_SETS)
        self.assertTrue(sets.learn(REOLINK_SDP))

    def test_bounded_size(self) -> None:
        """Sets blown up with bytes behind their end stop at the limit."""
        sets = learned(Codec.H264, SPS)
        self.assertTrue(sets.learn(PPS + b"\x55" * 60_000))
        self.assertTrue(sets.learn(REOLINK_IN_BAND + b"\x55" * 60_000))
        self.assertTrue(sets.learn(PPS + b"\x66" * 60_000))
        blown_up = b"\x68\x5a\x3c\x80" + b"\x55" * 60_000  # pic_parameter_set_id 1
        self.assertFalse(sets.learn(blown_up))
        self.assertEqual(sets.refused, 1)

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from([SPS, PPS, REOLINK_IN_BAND]), st.integers(0, 255))))
    def test_damage(self, damage: list[tuple[bytes, int]]) -> None:
        """Sets with any bit flipped never raise and never take the format away."""
        sets = learned(Codec.H264, SPS, PPS)
        for unit, place in damage:
            damaged = bytearray(unit)
            damaged[place // 8 % len(unit)] ^= 1 << place % 8
            sets.learn(bytes(damaged))
            self.assertIsNotNone(sets.format)


class H265Tests(SynchronousTestCase):
    def test_complete(self) -> None:
        """VPS, SPS and PPS make a format, in this order whatever order they came in."""
        made = learned(Codec.H265, *reversed(H265_SETS)).format
        assert made is not None
        self.assertEqual((made.codec, made.width, made.height), (Codec.H265, 3840, 2160))
        self.assertEqual(made.parameter_sets, tuple(H265_SETS))

    def test_incomplete_sdp(self) -> None:
        """Without a VPS a format is made; the VPS in band makes the whole one."""
        sets = learned(Codec.H265, *H265_SETS[1:])
        assert sets.format is not None
        self.assertEqual(len(sets.format.parameter_sets), 2)
        sets.learn(H265_SETS[0])
        self.assertEqual(sets.format.parameter_sets, tuple(H265_SETS))

    def test_h264_sets_are_none_of_it(self) -> None:
        """Sets of the other codec make no format."""
        self.assertIsNone(learned(Codec.H265, SPS, PPS).format)
