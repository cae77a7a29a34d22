"""EBML headers, scalars and rows of elements."""

import struct

from construct import Bytes, ConstructError
from hypothesis import event, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire.ebml import (
    ELEMENT,
    HEADER,
    ElementSize,
    build_void,
    date_from_us,
    decode_date_us,
    decode_float,
    decode_string,
    decode_unsigned,
    element,
    encode_id,
    encode_size,
    iterate_elements,
    parse_header,
)

IDS = st.one_of(
    st.integers(0x80, 0xFE),
    st.integers(0x4000, 0x7FFF),
    st.integers(0x200000, 0x3FFFFF),
    st.integers(0x10000000, 0x1FFFFFFF),
)


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """Headers with sizes of every width, the unknown one too; half of them cut or bent."""
    width = draw(st.integers(1, 8))
    size = draw(st.none() | st.integers(0, (1 << 7 * width) - 2))
    data = encode_id(draw(IDS)) + ElementSize(width).build(size)
    if draw(st.booleans()):
        data = data[: draw(st.integers(0, len(data)))]
    elif draw(st.booleans()):
        at = draw(st.integers(0, len(data) - 1))
        data = data[:at] + draw(st.binary(min_size=1, max_size=1)) + data[at + 1 :]
    return data


def described(data: bytes) -> tuple[int, int | None, int] | None:
    """What the description reads, None where it refuses."""
    try:
        header = HEADER.parse(data)
    except ConstructError:
        return None
    length = (header.id.bit_length() + 7) // 8
    return header.id, header.size, length + 9 - data[length].bit_length()


def fast(data: bytes) -> tuple[int, int | None, int] | None:
    """What the fast path reads, None where it refuses."""
    try:
        return tuple(parse_header(data))  # type: ignore[return-value]
    except WireError:
        return None


class HeaderTests(SynchronousTestCase):
    @settings(max_examples=500, deadline=None, derandomize=True)
    @given(headers())
    def test_reads_what_is_described(self, data: bytes) -> None:
        """Both accept the same bytes, with the same fields, or both refuse."""
        expected = described(data)
        event("refused" if expected is None else "accepted")
        self.assertEqual(fast(data), expected)

    def test_the_specifications_examples(self) -> None:
        """A size of 2 may be written in any width (RFC 8794 §4.4)."""
        for width, written in ((1, "82"), (2, "4002"), (4, "10000002"), (8, "0100000000000002")):
            self.assertEqual(encode_size(2, width).hex(), written)
            self.assertEqual(ElementSize(width).build(2).hex(), written)
            self.assertEqual(parse_header(b"\xec" + encode_size(2, width)).size, 2)

    def test_the_unknown_size(self) -> None:
        """All value bits one is no number but "unknown", in any width."""
        for data in (b"\xff", b"\x7f\xff", b"\x01" + 7 * b"\xff"):
            self.assertIsNone(parse_header(b"\xec" + data).size)

    def test_what_does_not_fit_is_not_built(self) -> None:
        """A size that would read as unknown or overflow its width is refused."""
        for size in (127, 128, -1):
            self.assertRaises(ConstructError, ElementSize(1).build, size)
        self.assertRaises(ConstructError, HEADER.build, {"id": 0x12, "size": 1})


class RowTests(SynchronousTestCase):
    def test_elements_one_behind_another(self) -> None:
        """Each comes with its data and its place."""
        data = b"".join(ELEMENT.build({"id": i, "size": 3, "data": b"abc"}) for i in (0xE7, 0x4DBB))
        found = [(e.id, bytes(e.data), e.offset) for e in iterate_elements(data)]
        self.assertEqual(found, [(0xE7, b"abc", 0), (0x4DBB, b"abc", 12)])

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(st.binary(max_size=60))
    def test_any_bytes_end_in_elements_or_a_wire_error(self, data: bytes) -> None:
        """Nothing but `WireError` comes out, and never more data than went in."""
        total = 0
        try:
            for found in iterate_elements(data):
                total += len(found.data)
        except WireError:
            pass
        self.assertLessEqual(total, len(data))

    def test_an_element_over_its_parents_end(self) -> None:
        """It is refused, as one of unknown size is."""
        self.assertRaises(WireError, list, iterate_elements(b"\xec\x85abcd"))
        self.assertRaises(WireError, list, iterate_elements(b"\xec\xffabcd"))

    def test_an_element_of_known_id(self) -> None:
        """The description gives and takes the content alone."""
        seek_id = element(0x53AB, Bytes(4), 1)
        self.assertEqual(seek_id.build(b"abcd"), b"\x53\xab\x84abcd")
        self.assertEqual(seek_id.parse(b"\x53\xab\x84abcd"), b"abcd")
        self.assertRaises(ConstructError, seek_id.parse, b"\x53\xac\x84abcd")

    def test_void_fills_exactly(self) -> None:
        """A Void of any size from 2 up is one element of that size."""
        for size in [*range(2, 40), 300, 5000]:
            (void,) = iterate_elements(build_void(size))
            self.assertEqual((void.id, len(build_void(size))), (0xEC, size))


class ScalarTests(SynchronousTestCase):
    def test_unsigned(self) -> None:
        """No byte at all is zero; nine are too many."""
        self.assertEqual(decode_unsigned(b""), 0)
        self.assertEqual(decode_unsigned(b"\x01\x00"), 256)
        self.assertRaises(WireError, decode_unsigned, bytes(9))

    def test_float(self) -> None:
        """Four or eight bytes, or none for zero."""
        self.assertEqual(decode_float(struct.pack(">f", 1.5)), 1.5)
        self.assertEqual(decode_float(struct.pack(">d", 0.1)), 0.1)
        self.assertEqual(decode_float(b""), 0.0)
        self.assertRaises(WireError, decode_float, b"abc")

    def test_string(self) -> None:
        """What follows a zero is filling; bytes that are no UTF-8 do not hurt."""
        self.assertEqual(decode_string(b"Video\0\0"), "Video")
        self.assertEqual(decode_string(b"V\xff"), "V\ufffd")

    @given(st.integers(0, 4_102_444_800_000_000))
    def test_date(self, utc_us: int) -> None:
        """A microsecond of UTC comes back exactly, before 2001 too."""
        data = date_from_us(utc_us).to_bytes(8, "big", signed=True)
        self.assertEqual(decode_date_us(data), utc_us)

    def test_date_of_a_known_day(self) -> None:
        """2001-01-01T00:00:00Z is zero."""
        self.assertEqual(date_from_us(978_307_200_000_000), 0)
        self.assertRaises(WireError, decode_date_us, b"1234")
