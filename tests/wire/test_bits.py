"""Exp-Golomb and fixed-width reading, against the tables of H.264 §9.1."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire.bits import MAX_EXP_GOLOMB, BitReader


def reader(bits: str) -> BitReader:
    """Make a reader of bits written as text, filled up with zeros to a byte."""
    bits = bits.replace(" ", "")
    padded = bits + "0" * (-len(bits) % 8)
    return BitReader(int(padded or "0", 2).to_bytes(len(padded) // 8, "big"), "test")


class ExpGolombTests(SynchronousTestCase):
    def test_unsigned_as_in_the_table(self) -> None:
        """The codes of H.264 Table 9-2 read as their codeNum."""
        bits = reader("1 010 011 00100 00101 00110 00111 0001000 0001001 0001010")
        self.assertEqual([bits.ue("x") for _ in range(10)], list(range(10)))

    def test_signed_as_in_the_table(self) -> None:
        """The codes of H.264 Table 9-3 alternate in sign."""
        bits = reader("1 010 011 00100 00101 00110")
        self.assertEqual([bits.se("x", -9) for _ in range(6)], [0, 1, -1, 2, -2, 3])

    def test_largest(self) -> None:
        """32 leading zeros are the longest code; one more is refused, not counted."""
        self.assertEqual(reader("0" * 31 + "1" * 32).ue("x"), MAX_EXP_GOLOMB)
        with self.assertRaisesRegex(WireError, "beyond 32 bits"):
            reader("0" * 40 + "1" * 41).ue("x")

    def test_range_is_checked(self) -> None:
        """A value outside the semantics names itself, its bounds and the source."""
        with self.assertRaisesRegex(WireError, r"id is 7, at most 6 allowed at byte 0 \(test\)"):
            reader("0001000").ue("id", 6)
        with self.assertRaises(WireError):
            reader("00101").se("delta", -1)

    def test_cut_off(self) -> None:
        """Reading beyond the end is a `WireError` for every descriptor."""
        for read in (
            lambda r: r.u(9),
            lambda r: r.ue("x"),
            lambda r: r.se("x"),
            lambda r: r.skip(9),
            lambda r: r.bytes(2),
        ):
            with self.assertRaises(WireError):
                read(reader("00000000"))

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.integers(0, MAX_EXP_GOLOMB), max_size=20))
    def test_reads_what_was_written(self, values: list[int]) -> None:
        """Any run of ue(v) codes gives back its values."""
        codes = [f"{value + 1:b}" for value in values]
        bits = reader("".join("0" * (len(code) - 1) + code for code in codes))
        self.assertEqual([bits.ue("x") for _ in values], values)


class PlaceTests(SynchronousTestCase):
    def test_more_rbsp_data(self) -> None:
        """Data ends at the last 1 bit, whatever zeros follow; without one there is none."""
        bits = BitReader(bytes.fromhex("a8 00 00"), "test")  # 1010 1|000 …
        seen = []
        while bits.more_rbsp_data():
            seen.append(bits.flag())
        self.assertEqual(seen, [True, False, True, False])
        self.assertFalse(BitReader(b"\0\0", "test").more_rbsp_data())

    def test_bytes_and_alignment(self) -> None:
        """Bytes are read from any bit; alignment goes to the next boundary or stays."""
        bits = BitReader(bytes.fromhex("81 02 03"), "test")
        bits.align()
        self.assertEqual(bits.u(4), 8)
        self.assertEqual(bits.bytes(1), b"\x10")
        bits.align()
        self.assertEqual((bits.position, bits.remaining), (16, 8))
        self.assertEqual((bits.u(0), bits.bytes(0)), (0, b""))
