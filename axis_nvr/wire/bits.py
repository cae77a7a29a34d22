"""Reading of syntax elements that are not bytes: u(n), ue(v), se(v).

H.264, H.265 and MPEG-4 audio write their headers bit by bit. `BitReader` is a
`bitstring.Reader` that speaks the specifications' descriptors, checks every value against the
range its semantics allow, and knows no other failure than `WireError`.

A read takes some microseconds; headers read this way change once in hours.
"""

from bitstring import Bits, Reader

from axis_nvr.errors import WireError

#: The largest value that ue(v) can hold (H.264 §9.1, H.265 §9.2: up to 32 leading zeros).
MAX_EXP_GOLOMB = 2**32 - 2
#: The same for se(v), to both sides.
MAX_SIGNED_EXP_GOLOMB = 2**31 - 1


class BitReader:
    """A cursor over the bits of one header.

    :param data: the bytes, emulation prevention removed.
    :param source: the section of the syntax table, given with each error.
    """

    def __init__(self, data: bytes | memoryview, source: str) -> None:
        self.source = source
        self._reader = Reader(Bits.from_bytes(bytes(data)))

    @property
    def position(self) -> int:
        """How many bits have been read."""
        return self._reader.pos

    @property
    def remaining(self) -> int:
        """How many bits are left."""
        return self._reader.remaining

    def error(self, message: str) -> WireError:
        """Make an error that tells this place."""
        return WireError(message, offset=self._reader.pos // 8, source=self.source)

    def u(self, width: int, name: str = "a field") -> int:
        """Read an unsigned integer of fixed width, most significant bit first.

        :param width: in bits; 0 reads nothing and gives 0.
        :param name: of the syntax element, for the error.
        :raises WireError: fewer bits are left.
        """
        if width > self._reader.remaining:
            raise self.error(f"{name} of {width} bits, {self._reader.remaining} left")
        return self._read(f"u{width}", name) if width else 0

    def flag(self, name: str = "a flag") -> bool:
        """Read u(1) as a flag."""
        return self.u(1, name) == 1

    def skip(self, width: int, name: str = "a field") -> None:
        """Go past `width` bits."""
        if width > self._reader.remaining:
            raise self.error(f"{name} of {width} bits, {self._reader.remaining} left")
        self._reader.pos += width

    def ue(self, name: str, maximum: int = MAX_EXP_GOLOMB) -> int:
        """Read an unsigned Exp-Golomb code.

        :param maximum: the largest value that the semantics of `name` allow.
        :raises WireError: out of range, or the code is cut off.

        Source: H.264 §9.1, H.265 §9.2.
        """
        value = self._read("ue", name)
        if value > maximum:
            raise self.error(f"{name} is {_shown(value)}, at most {maximum} allowed")
        return value

    def se(self, name: str, minimum: int = -MAX_SIGNED_EXP_GOLOMB, maximum: int = 0) -> int:
        """Read a signed Exp-Golomb code.

        :param minimum: the smallest value that the semantics of `name` allow.
        :param maximum: the largest; 0 stands for the opposite of `minimum`.
        :raises WireError: out of range, or the code is cut off.

        Source: H.264 §9.1.1, H.265 §9.2.2.
        """
        value = self._read("se", name)
        if not minimum <= value <= (maximum or -minimum):
            raise self.error(f"{name} is {_shown(value)}, out of range")
        return value

    def _read(self, descriptor: str, name: str) -> int:
        try:
            value = self._reader.read_value(descriptor)
        except ValueError as error:  # bitstring.ReadError is one
            raise self.error(f"{name}: cut off") from error
        assert isinstance(value, int)
        return value

    def align(self, origin: int = 0) -> None:
        """Go on to the next byte boundary.

        :param origin: the position from which bytes are counted.
        """
        self.skip((origin - self._reader.pos) % 8, "alignment")

    def copy(self, start: int, end: int) -> "bytes":
        """Take the bits from one position to another, filled up with zeros to a byte."""
        return self._reader.bits[start:end].to_bytes()

    def bytes(self, size: int, name: str = "data") -> "bytes":
        """Read `size` whole bytes from any bit position."""
        if 8 * size > self._reader.remaining:
            raise self.error(f"{name} of {size} bytes, {self._reader.remaining // 8} left")
        return self._reader.read_bits(8 * size).to_bytes() if size else b""

    def more_rbsp_data(self) -> bool:
        """Whether syntax elements are left before the stop bit.

        A set without any stop bit has no more data either.

        Source: H.264 §7.2, H.265 §7.2.
        """
        stop = self._reader.bits.rfind("0b1")
        return stop is not None and self._reader.pos < stop


def _shown(value: int) -> str:
    return str(value) if abs(value) <= MAX_EXP_GOLOMB else "beyond 32 bits"
