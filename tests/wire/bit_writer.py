"""Writes what `axis_nvr.wire.bits.BitReader` reads, so that tests describe their own sets."""


class BitWriter:
    """Bits in the making. Each method returns the writer, so calls can be chained."""

    def __init__(self) -> None:
        self.bits = ""

    def u(self, width: int, value: int) -> "BitWriter":
        """Write an unsigned integer of fixed width."""
        assert 0 <= value < 1 << width, (width, value)
        self.bits += f"{value:0{width}b}" if width else ""
        return self

    def ue(self, value: int) -> "BitWriter":
        """Write an unsigned Exp-Golomb code."""
        code = f"{value + 1:b}"
        self.bits += "0" * (len(code) - 1) + code
        return self

    def se(self, value: int) -> "BitWriter":
        """Write a signed Exp-Golomb code."""
        return self.ue(2 * value - 1 if value > 0 else -2 * value)

    def align(self) -> "BitWriter":
        """Fill up with zeros to a byte."""
        self.bits += "0" * (-len(self.bits) % 8)
        return self

    def to_bytes(self) -> bytes:
        """Return the bytes, filled up with zeros."""
        self.align()
        return int("1" + self.bits, 2).to_bytes(1 + len(self.bits) // 8, "big")[1:]

    def rbsp(self) -> bytes:
        """Return the bytes of an RBSP: behind a stop bit, filled up with zeros."""
        return self.u(1, 1).to_bytes()
