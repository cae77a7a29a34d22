"""DNS messages as tests see them: written and read by hand, apart from any library.

Source: RFC 1035 §4.1.
"""

import struct
from typing import NamedTuple

A, PTR, TXT, AAAA, SRV, ANY = 1, 12, 16, 28, 33, 255
IN = 1


class Record(NamedTuple):
    """A resource record; `data` is decoded for the types above."""

    name: str
    type: int
    dns_class: int
    ttl: int
    data: object


class Message(NamedTuple):
    """A message; each question is name, type and class."""

    id: int
    flags: int
    questions: list[tuple[str, int, int]]
    answers: list[Record]
    authorities: list[Record]
    additionals: list[Record]


def query(name: str, kind: int, message_id: int = 0, dns_class: int = IN) -> bytes:
    """Write a query with one question."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    header = struct.pack("!6H", message_id, 0, 1, 0, 0, 0)
    return header + labels + struct.pack("!x2H", kind, dns_class)


def parse(data: bytes) -> Message:
    """Read a message; an error if a byte is wrong or left over."""
    message_id, flags, *counts = struct.unpack_from("!6H", data)
    at, questions = 12, []
    for _ in range(counts[0]):
        name, at = _name(data, at)
        kind, dns_class = struct.unpack_from("!2H", data, at)
        questions.append((name, kind, dns_class))
        at += 4
    sections: list[list[Record]] = []
    for count in counts[1:]:
        records = []
        for _ in range(count):
            record, at = _record(data, at)
            records.append(record)
        sections.append(records)
    assert at == len(data), f"{len(data) - at} bytes are left"
    return Message(message_id, flags, questions, *sections)


def _record(data: bytes, at: int) -> tuple[Record, int]:
    name, at = _name(data, at)
    kind, dns_class, ttl, size = struct.unpack_from("!2HIH", data, at)
    at += 10
    rest = data[at : at + size]
    value: object = rest
    if kind == PTR:
        value = _name(data, at)[0]
    elif kind == SRV:
        value = (*struct.unpack_from("!3H", rest), _name(data, at + 6)[0])
    elif kind == A:
        value = ".".join(map(str, rest))
    elif kind == TXT:
        value = _strings(rest)
    return Record(name, kind, dns_class, ttl, value), at + size


def _strings(data: bytes) -> list[bytes]:
    strings, at = [], 0
    while at < len(data):
        strings.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return strings


def _name(data: bytes, at: int) -> tuple[str, int]:
    labels, end = [], 0
    while size := data[at]:
        if size >= 0xC0:
            end = end or at + 2
            target = int.from_bytes(data[at : at + 2]) & 0x3FFF
            assert target < at, "a pointer that does not lead back"
            at = target
        else:
            labels.append(data[at + 1 : at + 1 + size].decode())
            at += 1 + size
    return ".".join(labels), end or at + 1
