"""Start codes, emulation prevention, lengths and ``sprop`` attributes."""

import base64

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire import nal

#: Bytes in which start codes and emulation are frequent.
zeros = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 0x65, 0xFF]), max_size=40).map(bytes)


def described_unescape(data: bytes) -> bytes:
    """The loop of H.264 §7.3.1, byte by byte."""
    out = bytearray()
    place = 0
    while place < len(data):
        if data[place : place + 3] == b"\0\0\3":
            out += b"\0\0"
            place += 3
        else:
            out.append(data[place])
            place += 1
    return bytes(out)


class HeaderTests(SynchronousTestCase):
    def test_h264_is_as_described(self) -> None:
        """The fast reading of the H.264 header equals the description for every byte."""
        for first in range(256):
            header = nal.H264_NAL_HEADER.parse(bytes([first]))
            self.assertEqual(nal.h264_nal_type(bytes([first])), header.nal_unit_type)

    def test_h265_is_as_described(self) -> None:
        """The fast reading of the H.265 header equals the description for every type."""
        for first in range(128):
            header = nal.H265_NAL_HEADER.parse(bytes([first, 1]))
            self.assertEqual(nal.h265_nal_type(bytes([first, 1])), header.nal_unit_type)

    def test_first_slice(self) -> None:
        """The first slice of a picture is told by one bit behind the header."""
        self.assertTrue(nal.h264_first_slice(bytes.fromhex("65 88")))
        self.assertFalse(nal.h264_first_slice(bytes.fromhex("65 48")))
        self.assertFalse(nal.h264_first_slice(b"\x65"))
        self.assertTrue(nal.h265_first_slice(bytes.fromhex("2601 af")))
        self.assertFalse(nal.h265_first_slice(bytes.fromhex("2601 2f")))
        self.assertFalse(nal.h265_first_slice(bytes.fromhex("2601")))

    def test_classes(self) -> None:
        """IRAP types are coded pictures; parameter sets are not."""
        self.assertLess(nal.H264_IRAP, nal.H264_VCL)
        self.assertLess(nal.H265_IRAP, nal.H265_VCL)
        self.assertTrue(nal.H264_VCL.isdisjoint(nal.H264_BEFORE_PICTURE))
        self.assertTrue(nal.H265_VCL.isdisjoint(nal.H265_BEFORE_PICTURE))
        self.assertLess(nal.H264_PARAMETER_SETS, nal.H264_BEFORE_PICTURE)


class ByteStreamTests(SynchronousTestCase):
    def test_split(self) -> None:
        """Start codes of three and four bytes, leading and trailing zeros all go."""
        stream = bytes.fromhex("00 00000001 6742 000001 68ce 000000 000001 6588 0000")
        self.assertEqual(nal.split_annex_b(stream), [b"\x67\x42", b"\x68\xce", b"\x65\x88"])

    def test_a_nal_unit_with_more_inside(self) -> None:
        """V380: SPS, PPS and IDR in one NAL unit; the first has no start code."""
        lump = bytes.fromhex("274d001f 00000001 28ee3c80 00000001 25b82000 11")
        self.assertEqual(
            nal.split_annex_b(memoryview(lump)),
            [bytes.fromhex("274d001f"), bytes.fromhex("28ee3c80"), bytes.fromhex("25b8200011")],
        )

    def test_nothing(self) -> None:
        """Zeros and start codes alone hold no NAL unit."""
        self.assertEqual(nal.split_annex_b(b""), [])
        self.assertEqual(nal.split_annex_b(bytes.fromhex("0000000001 000001")), [])

    @settings(max_examples=150, deadline=None)
    @given(st.lists(zeros.map(lambda data: nal.escape(b"\x65" + data + b"\x80")), max_size=5))
    def test_split_undoes_join(self, units: list[bytes]) -> None:
        """Any escaped NAL units come back from a byte stream and from a sample."""
        stream = b"".join(b"\0\0\0\1" + unit for unit in units)
        self.assertEqual(nal.split_annex_b(stream), units)
        self.assertEqual(list(nal.split_sample(nal.join_sample(units))), units)


class EmulationTests(SynchronousTestCase):
    @settings(max_examples=250, deadline=None)
    @given(zeros)
    def test_unescape_is_as_described(self, data: bytes) -> None:
        """Removal equals the loop of the specification for any bytes, sound or not."""
        self.assertEqual(nal.unescape(data), described_unescape(data))

    @settings(max_examples=250, deadline=None)
    @given(zeros)
    def test_escape(self, data: bytes) -> None:
        """An escaped NAL unit holds no start code, ends in no zero, and comes back."""
        data += b"\x80"
        escaped = nal.escape(data)
        for forbidden in (b"\0\0\0", b"\0\0\1", b"\0\0\2"):
            self.assertNotIn(forbidden, escaped)
        self.assertFalse(escaped.endswith(b"\0"))
        self.assertEqual(nal.unescape(escaped), data)

    def test_cabac_zero_words(self) -> None:
        """Zero words behind the stop bit get a 03 each, the last one too."""
        self.assertEqual(nal.escape(bytes.fromhex("80 0000 0000")).hex(), "80000003000003")


class TrimTests(SynchronousTestCase):
    def test_meaningless_ends(self) -> None:
        """Zero bytes and cabac_zero_words at the end do not make another parameter set."""
        plain = bytes.fromhex("68ee3c80")
        for tail in ("00", "000000", "000003", "000003000003", "00000300"):
            self.assertEqual(nal.trim(plain + bytes.fromhex(tail)), plain, tail)
        self.assertEqual(nal.trim(b"\0\0"), b"")
        self.assertEqual(nal.trim(b"\3"), b"\3")

    def test_meaning_stays(self) -> None:
        """An end that is no whole cabac_zero_word belongs to the set."""
        self.assertEqual(nal.trim(b"\x68\0\3"), b"\x68\0\3")

    @settings(max_examples=200, deadline=None)
    @given(zeros)
    def test_twice_is_once(self, data: bytes) -> None:
        """Trimming changes nothing but the end, and nothing more the second time."""
        once = nal.trim(data)
        self.assertTrue(data.startswith(once))
        self.assertEqual(nal.trim(once), once)


class SpropTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """Two sets between commas (a Wyze camera's)."""
        text = "J00AKedAPAET8s1AQEB8AAADAAQAAAMAoNGADqYAFfl//wKA,KO48gA=="
        sps, pps = nal.nal_units_from_sprop(text)
        self.assertEqual((sps[0] & 31, pps), (7, bytes.fromhex("28ee3c80")))

    def test_annex_b_inside(self) -> None:
        """Start codes within the base64 are taken off (CP3PRO, Revotech, VStarcam)."""
        text = "AAAAAWdNABaNjUBQF/yzcBAQFAAALuAABX5AEA==,AAAAAWjuOIA="
        sps, pps = nal.nal_units_from_sprop(text)
        self.assertEqual(sps[:4], bytes.fromhex("674d0016"))
        self.assertEqual(pps, bytes.fromhex("68ee3880"))

    def test_all_in_one_item(self) -> None:
        """SPS and PPS as one byte stream in one item are two NAL units."""
        both = base64.b64encode(bytes.fromhex("00000001 674d0016 00000001 68ee3880")).decode()
        self.assertEqual(
            nal.nal_units_from_sprop(both),
            [bytes.fromhex("674d0016"), bytes.fromhex("68ee3880")],
        )

    def test_nothing_to_find(self) -> None:
        """A missing, empty or spoilt attribute gives what can be read, and no error."""
        self.assertEqual(nal.nal_units_from_sprop(None), [])
        for text in ("", ",", " , ", "====", "!!!", "é", "AAAA", "A"):
            self.assertEqual(nal.nal_units_from_sprop(text), [], text)
        for text in ("aO44gA==,", ",aO44gA", "aO44gA==,%%%", ' "aO44gA==" '):
            self.assertEqual(nal.nal_units_from_sprop(text), [bytes.fromhex("68ee3880")], text)

    def test_bounded(self) -> None:
        """No more units than the limit come out, and none too long."""
        many = ",".join(["aO44gA=="] * 1000)
        self.assertEqual(len(nal.nal_units_from_sprop(many)), nal.MAX_SPROP_NAL_UNITS)
        stream = base64.b64encode(b"\0\0\1h" * 1000).decode()
        self.assertEqual(len(nal.nal_units_from_sprop(stream)), nal.MAX_SPROP_NAL_UNITS)
        long = base64.b64encode(b"\x67" * (nal.MAX_PARAMETER_SET_BYTES + 1)).decode()
        self.assertEqual(nal.nal_units_from_sprop(long), [])

    @settings(max_examples=200, deadline=None)
    @given(st.text(max_size=60))
    def test_any_text(self, text: str) -> None:
        """No text raises."""
        nal.nal_units_from_sprop(text)


class SampleTests(SynchronousTestCase):
    def test_length_sizes(self) -> None:
        """Lengths of one, two and four bytes are read."""
        for size in (1, 2, 4):
            sample = (3).to_bytes(size, "big") + b"abc" + (1).to_bytes(size, "big") + b"d"
            self.assertEqual(list(nal.split_sample(sample, size)), [b"abc", b"d"])

    def test_cut(self) -> None:
        """A sample cut at any byte within a unit is refused."""
        sample = nal.join_sample([b"abc", b"defg"])
        for end in range(1, len(sample)):
            if end == 7:
                continue
            with self.assertRaises(WireError):
                list(nal.split_sample(sample[:end]))
