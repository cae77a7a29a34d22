"""Code words of G.726 in bytes: from the lowest bit up in RTP, from the highest down in a file.

Three code words of five bits, ``a``, ``b`` and ``c``, the first bits of each byte on the left::

    RTP    bbbaaaaa .cccccbb       (RFC 3551 §4.5.4)
    file   aaaaabbb bbccccc.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

#: From frames as they came to frames as they are stored, or the other way round.
Repack = Callable[[bytes | bytearray], bytes]
#: Which end of a byte its first code word is at, as `int.from_bytes` names it.
_End = Literal["little", "big"]


def file_packing(bits: int) -> Repack:
    """Give what packs a frame of code words of so many bits as a file has them."""
    return partial(_repack, bits=bits, before="little", after="big")


def rtp_packing(bits: int) -> Repack:
    """Give the inverse: what packs a stored frame as RTP has it."""
    return partial(_repack, bits=bits, before="big", after="little")


def _repack(data: bytes | bytearray, *, bits: int, before: _End, after: _End) -> bytes:
    """Pack code words from the other end; eight of them take `bits` bytes."""
    pieces = (data[at : at + bits] for at in range(0, len(data), bits))
    return b"".join(_turn(piece, bits, before, after) for piece in pieces)


def _turn(data: bytes | bytearray, bits: int, before: _End, after: _End) -> bytes:
    """Reverse the order of the code words in a few bytes, each word as it is."""
    count, unused = divmod(len(data) * 8, bits)
    word, turned = int.from_bytes(data, before), 0
    if before == "big":
        word >>= unused
    for _ in range(count):
        turned = turned << bits | word & (1 << bits) - 1
        word >>= bits
    if after == "big":
        turned <<= unused
    return turned.to_bytes(len(data), after)
