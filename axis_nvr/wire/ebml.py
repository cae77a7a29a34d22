"""EBML: the binary tree under Matroska (RFC 8794).

A document is a row of *elements*; an element is an ID, a size and that many bytes of data::

    +----------------+------------------+----------------------------+
    | ID, 1–4 bytes  | size, 1–8 bytes  | data: a scalar, a string   |
    | marker kept    | marker taken off | or further elements        |
    +----------------+------------------+----------------------------+

ID and size are variable length integers: as many zero bits as bytes follow the first, a one (the
*marker*), then the value. A size whose value bits are all ones is *unknown*: the element goes on
until something that cannot be its child.

`ElementId`, `ElementSize` and `element` describe this with construct and build what is written
once per file; `parse_header` is the fast path of reading, held equal to `HEADER` by the tests.
"""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from construct import (
    Bytes,
    Const,
    Construct,
    FocusedSeq,
    IntegerError,
    Prefixed,
    Struct,
    stream_read,
    stream_write,
    this,
)

from axis_nvr.errors import WireError

#: Longest element ID of Matroska, in bytes (RFC 8794 §11.2.4, EBMLMaxIDLength).
MAX_ID_BYTES = 4
#: Longest element size, in bytes (RFC 8794 §11.2.5, EBMLMaxSizeLength).
MAX_SIZE_BYTES = 8
#: The most levels of elements within elements that a reader follows.
MAX_DEPTH = 8

#: Nanoseconds from 1970 to 2001-01-01T00:00:00Z, where EBML dates begin (RFC 8794 §7.6).
DATE_EPOCH_NS = 978_307_200_000_000_000

#: ID of the element that fills room (RFC 8794 §11.3.2).
VOID = 0xEC
#: ID of the element that checks its parent (RFC 8794 §11.3.1).
CRC_32 = 0xBF
#: Bytes of a whole CRC-32 element.
CRC_32_BYTES = 6


class ElementId(Construct):  # type: ignore[type-arg]
    """An element's ID, marker kept, in its shortest form (RFC 8794 §5)."""

    def _parse(self, stream: Any, context: Any, path: str) -> int:
        first = stream_read(stream, 1, path)[0]
        length = 9 - first.bit_length()
        if length > MAX_ID_BYTES:
            raise IntegerError(f"no element ID begins with {first:#04x}", path=path)
        rest = stream_read(stream, length - 1, path)
        return int.from_bytes(bytes([first]) + rest, "big")

    def _build(self, obj: int, stream: Any, context: Any, path: str) -> int:
        length = (obj.bit_length() + 7) // 8
        if obj >> 7 * length != 1 or length > MAX_ID_BYTES:
            raise IntegerError(f"{obj:#x} is no element ID", path=path)
        stream_write(stream, obj.to_bytes(length, "big"), length, path)
        return obj


class ElementSize(Construct):  # type: ignore[type-arg]
    """An element's data size in bytes; None is the unknown size (RFC 8794 §6).

    :param width: bytes it is written with; reading takes any.
    """

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.width = width

    def _parse(self, stream: Any, context: Any, path: str) -> int | None:
        first = stream_read(stream, 1, path)[0]
        if not first:
            raise IntegerError("an element size of more than 8 bytes", path=path)
        length = 9 - first.bit_length()
        rest = stream_read(stream, length - 1, path)
        ones = (1 << 7 * length) - 1
        value = int.from_bytes(bytes([first]) + rest, "big") & ones
        return None if value == ones else value

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        ones = (1 << 7 * self.width) - 1
        value = ones if obj is None else obj
        if not 0 <= value <= ones or (value == ones and obj is not None):
            raise IntegerError(f"{obj} does not fit {self.width} bytes", path=path)
        stream_write(stream, (ones + 1 | value).to_bytes(self.width, "big"), self.width, path)
        return obj


#: What is in front of each element's data.
HEADER = Struct("id" / ElementId(), "size" / ElementSize())

#: One element with its data not looked into.
ELEMENT = Struct("id" / ElementId(), "size" / ElementSize(), "data" / Bytes(this.size))


def element(element_id: int, content: Any, width: int = 8) -> Any:
    """Describe an element of known ID around its content.

    :param content: what its data is; built, it gives and takes the same value as the element.
    :param width: bytes of the size when built.
    """
    header = encode_id(element_id)
    return FocusedSeq("value", Const(header), "value" / Prefixed(ElementSize(width), content))


def encode_id(element_id: int) -> bytes:
    """Write an element ID, marker included as in the specification's tables."""
    return element_id.to_bytes((element_id.bit_length() + 7) // 8, "big")


def encode_size(size: int, width: int = 8) -> bytes:
    """Write a size with exactly `width` bytes; `size` must be below 2 ** (7 * width) - 1."""
    return (1 << 7 * width | size).to_bytes(width, "big")


#: An unknown size, 8 bytes long: what a Segment has until it is closed (RFC 8794 §6.2).
UNKNOWN_SIZE = b"\x01" + 7 * b"\xff"


def build_void(size: int) -> bytes:
    """Fill `size` bytes, header included; at least 2.

    Source: RFC 8794 §11.3.2.
    """
    width = 1 if size < 10 else 8
    return bytes([VOID]) + encode_size(size - 1 - width, width) + bytes(size - 1 - width)


class ElementHeader(NamedTuple):
    """What stands in front of an element's data.

    :ivar id: the ID, marker included.
    :ivar size: bytes of data, None where unknown.
    :ivar data_offset: where the data begins, in the bytes the header was read from.
    """

    id: int
    size: int | None
    data_offset: int


def parse_header(data: bytes | memoryview, offset: int = 0) -> ElementHeader:
    """Read one element's ID and size.

    :param data: bytes that hold at least the whole header from `offset` on.
    :raises WireError: truncated, or no ID or size of EBML.

    Source: RFC 8794 §5, §6.
    """
    available = len(data) - offset
    if available < 2:
        raise WireError("element header is cut", offset=offset, source="RFC 8794 §4")
    id_length = 9 - data[offset].bit_length()
    if id_length > MAX_ID_BYTES:
        raise WireError(f"no element ID: {data[offset]:#04x}", offset=offset, source="RFC 8794 §5")
    size_offset = offset + id_length
    if available <= id_length:
        raise WireError("element header is cut", offset=offset, source="RFC 8794 §4")
    first = data[size_offset]
    if not first:
        raise WireError("size over 8 bytes", offset=size_offset, source="RFC 8794 §6")
    size_length = 9 - first.bit_length()
    end = size_offset + size_length
    if end > len(data):
        raise WireError("element header is cut", offset=offset, source="RFC 8794 §4")
    ones = (1 << 7 * size_length) - 1
    size = int.from_bytes(data[size_offset:end], "big") & ones
    element_id = int.from_bytes(data[offset:size_offset], "big")
    return ElementHeader(element_id, None if size == ones else size, end)


class Element(NamedTuple):
    """One element of a row, its data a view of what was read."""

    id: int
    data: memoryview
    offset: int


def iterate_elements(data: bytes | memoryview) -> Iterator[Element]:
    """Go through a row of elements, such as the data of a master element.

    :param data: whole elements of known size, one behind another.
    :raises WireError: an element is cut, overruns `data`, or is of unknown size.
    """
    view, offset, end = memoryview(data), 0, len(data)
    while offset < end:
        header = parse_header(view, offset)
        stop = end + 1 if header.size is None else header.data_offset + header.size
        if stop > end:
            raise WireError(
                f"element {header.id:#x} overruns its parent", offset=offset, source="RFC 8794 §6.1"
            )
        yield Element(header.id, view[header.data_offset : stop], offset)
        offset = stop


def decode_unsigned(data: bytes | memoryview) -> int:
    """Read an unsigned integer of 0 to 8 bytes (RFC 8794 §7.2)."""
    if len(data) > 8:
        raise WireError(f"an integer of {len(data)} bytes", source="RFC 8794 §7.2")
    return int.from_bytes(data, "big")


def decode_float(data: bytes | memoryview) -> float:
    """Read a float of 0, 4 or 8 bytes (RFC 8794 §7.3)."""
    form = {0: "", 4: ">f", 8: ">d"}.get(len(data))
    if form is None:
        raise WireError(f"a float of {len(data)} bytes", source="RFC 8794 §7.3")
    return float(struct.unpack(form, data)[0]) if form else 0.0


def decode_string(data: bytes | memoryview) -> str:
    """Read a string up to its first zero; bytes that are not UTF-8 are replaced (RFC 8794 §7.5)."""
    return bytes(data).split(b"\0", 1)[0].decode("utf-8", "replace")


def decode_date_us(data: bytes | memoryview) -> int:
    """Read a date as UTC, microseconds since 1970, rounded (RFC 8794 §7.6)."""
    if len(data) not in (0, 8):
        raise WireError(f"a date of {len(data)} bytes", source="RFC 8794 §7.6")
    return (int.from_bytes(data, "big", signed=True) + DATE_EPOCH_NS + 500) // 1000


def date_from_us(utc_us: int) -> int:
    """Give UTC microseconds since 1970 as an EBML date: nanoseconds since 2001."""
    return utc_us * 1000 - DATE_EPOCH_NS
