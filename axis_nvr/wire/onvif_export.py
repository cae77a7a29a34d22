"""The boxes that make an export out of an MP4 file: who made it, from when it is, and its seals.

::

    ftyp moov {moof mdat}…
    meta                          the last box of the file
      hdlr
      suep                        who exported, when, which cameras
      ipro                        one `sinf` for each signature, newest last
        sinf
          schm                    the scheme
          schi
            sibo                  the signature
            cert                  the certificate that verifies it
            cstb                  the time of the first picture

A signature covers all bytes of the file as it was then, its own `sibo` set to zero.

Source: ONVIF Export File Format 26.06.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from construct import ConstructError, CString, Int16ub, Int32ub, Int64ub, PrefixedArray, Struct

from axis_nvr.errors import WireError
from axis_nvr.wire.isobmff import FULL_BOX, HDLR, BoxPlace, box, full_box, read_header

#: Bytes of a `meta` box that is read.
MAX_META_BYTES = 4 << 20
#: Boxes of a file, and of a box, that are walked.
MAX_BOXES = 1_000_000
#: 1970 in seconds since 1904, and in units of 100 ns since 1601.
_EPOCH_1904_SECONDS = 2_082_844_800
_EPOCH_1601_TICKS = 116_444_736_000_000_000
#: Content of `schm`: the letters ``oeff``, version 1.0.
_SCHEME = struct.pack(">II", 0x6F656666, 0x00010000)

_TEXT = CString("utf8")
#: `suep`, version 1.
SUEP = Struct(
    "unit_name" / _TEXT,
    "unit_url" / _TEXT,
    "unit_mac" / _TEXT,
    "time_1904" / Int64ub,
    "operator" / _TEXT,
    "sources"
    / PrefixedArray(
        Int32ub,
        Struct("track_id" / Int16ub, "name" / _TEXT, "url" / _TEXT, "mac" / _TEXT, "line" / _TEXT),
    ),
)
#: `cstb`: when each track's media time is zero.
CSTB = Struct("entries" / PrefixedArray(Int32ub, Struct("track_id" / Int32ub, "time" / Int64ub)))

#: Reads bytes of a file from a place; fewer at its end.
Read = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class ExportSource:
    """Where a track of an export came from.

    :param line: the input of a device with several, empty otherwise.
    """

    track_id: int
    name: str
    url: str = ""
    mac: str = ""
    line: str = ""


@dataclass(frozen=True, slots=True)
class ExportInfo:
    """Who exported what.

    :param time_us: when it was exported: UTC, microseconds since 1970; whole seconds are kept.
    :param start_us: when media time zero was: UTC, microseconds since 1970.
    """

    unit_name: str
    unit_url: str
    unit_mac: str
    time_us: int
    operator: str
    start_us: int
    sources: tuple[ExportSource, ...]


def build_meta(info: ExportInfo, certificate: bytes, signature_bytes: int) -> tuple[bytes, int]:
    """Build the `meta` box of a file with one signature, which is zero.

    :param certificate: X.509, DER.
    :param signature_bytes: as long as the modulus of its key.
    :returns: the box, and where in it the signature goes.
    """
    signature = box(b"sibo", bytes(signature_bytes))
    cert = box(b"cert", certificate)
    scheme = box(b"schi", signature, cert, _start(info))
    sinf = box(b"sinf", full_box(b"schm", _SCHEME), scheme)
    protection = full_box(b"ipro", struct.pack(">H", 1), sinf)
    handler = full_box(b"hdlr", HDLR.build({"type": b"null", "name": ""}))
    meta = full_box(b"meta", handler, _suep(info), protection)
    return meta, len(meta) - len(scheme) + 16


def _start(info: ExportInfo) -> bytes:
    time = info.start_us * 10 + _EPOCH_1601_TICKS
    entries = [{"track_id": source.track_id, "time": time} for source in info.sources[:1]]
    return box(b"cstb", CSTB.build({"entries": entries}))


def _suep(info: ExportInfo) -> bytes:
    def text(words: str) -> str:
        return words.replace("\0", "")

    sources = [
        {
            "track_id": source.track_id,
            "name": text(source.name),
            "url": text(source.url),
            "mac": text(source.mac),
            "line": text(source.line),
        }
        for source in info.sources
    ]
    fields = {
        "unit_name": text(info.unit_name),
        "unit_url": text(info.unit_url),
        "unit_mac": text(info.unit_mac),
        "time_1904": info.time_us // 1_000_000 + _EPOCH_1904_SECONDS,
        "operator": text(info.operator),
        "sources": sources,
    }
    return full_box(b"suep", SUEP.build(fields), version=1)


@dataclass(frozen=True, slots=True)
class Seal:
    """A signature of a file, and what it covers.

    :param signature: its bytes; `signature_start` is where they are in the file.
    :param end: the bytes before it are covered; what follows came later.
    :param sizes: sizes of boxes as they were when it was made: where, and what stood there.
    """

    signature: bytes
    signature_start: int
    certificate: bytes
    end: int
    sizes: tuple[tuple[int, int], ...]

    def patches(self) -> list[tuple[int, bytes]]:
        """Give what to put over the file's bytes, in order of place, before they are hashed."""
        zeros = (self.signature_start, bytes(len(self.signature)))
        sizes = [(place, size.to_bytes(4, "big")) for place, size in self.sizes]
        return sorted([*sizes, zeros])


@dataclass(frozen=True, slots=True)
class SealedFile:
    """What stands in an export beside pictures and sound.

    :param start_us: when media time zero was: UTC, microseconds since 1970; None if not told.
    :param trailing_bytes: what stands behind `meta`, and is covered by no seal.
    """

    info: ExportInfo
    start_us: int | None
    seals: tuple[Seal, ...]
    trailing_bytes: int


def read_seals(read: Read, size_bytes: int) -> SealedFile:
    """Read what an export says of itself, and its signatures.

    :raises WireError: it is no export.
    """
    metas = [place for place in _boxes(read, 0, size_bytes) if place.type == b"meta"]
    if len(metas) != 1:
        raise WireError(f"{len(metas)} meta boxes in the file; an export has one")
    (meta,) = metas
    if meta.end - meta.start > MAX_META_BYTES:
        raise WireError(f"a meta box of {meta.end - meta.start} bytes", offset=meta.start)
    children = list(_boxes(read, meta.content + 4, meta.end))
    starts: list[int] = []
    infos = [_read_suep(read, place) for place in children if place.type == b"suep"]
    if len(infos) != 1:
        raise WireError(f"{len(infos)} suep boxes; an export has one", offset=meta.start)
    starts += [s for place in children if place.type == b"cstb" for s in _read_cstb(read, place)]
    seals = []
    for protection in (place for place in children if place.type == b"ipro"):
        for sinf in _boxes(read, protection.content + 6, protection.end):
            if sinf.type == b"sinf":
                seal, told = _read_sinf(read, meta, protection, sinf)
                seals.append(seal)
                starts += told
    start = starts[-1] if starts else None
    return SealedFile(infos[0], start, tuple(seals), size_bytes - meta.end)


def _boxes(read: Read, start: int, end: int) -> Iterator[BoxPlace]:
    """Walk the boxes of a file, or of a box."""
    for _ in range(MAX_BOXES):
        if start >= end:
            return
        place = read_header(read(start, 16), start, end)
        if place is None:
            raise WireError("no whole box", offset=start, source="ISO/IEC 14496-12 §4.2")
        yield place
        start = place.end
    raise WireError(f"over {MAX_BOXES} boxes", offset=start)


def _content(read: Read, place: BoxPlace) -> bytes:
    data = read(place.content, place.end - place.content)
    if len(data) < place.end - place.content:
        raise WireError("the file ends within a box", offset=place.start)
    return data


def _parse(description: Any, data: bytes, place: BoxPlace) -> Any:
    try:
        return description.parse(data)
    except (ConstructError, UnicodeError) as error:
        name = place.type.decode("latin-1")
        raise WireError(f"{name}: {error}", offset=place.start) from None


def _read_suep(read: Read, place: BoxPlace) -> ExportInfo:
    whole = _parse(FULL_BOX, _content(read, place), place)
    if whole.version != 1:
        raise WireError(f"suep of version {whole.version}", offset=place.start)
    fields = _parse(SUEP, whole.content, place)
    return ExportInfo(
        unit_name=fields.unit_name,
        unit_url=fields.unit_url,
        unit_mac=fields.unit_mac,
        time_us=(fields.time_1904 - _EPOCH_1904_SECONDS) * 1_000_000,
        operator=fields.operator,
        start_us=0,
        sources=tuple(
            ExportSource(s.track_id, s.name, s.url, s.mac, s.line) for s in fields.sources
        ),
    )


def _read_cstb(read: Read, place: BoxPlace) -> list[int]:
    entries = _parse(CSTB, _content(read, place), place).entries
    return [(entry.time - _EPOCH_1601_TICKS) // 10 for entry in entries[:1]]


def _read_sinf(
    read: Read, meta: BoxPlace, protection: BoxPlace, sinf: BoxPlace
) -> tuple[Seal, list[int]]:
    found: dict[bytes, BoxPlace] = {}
    starts: list[int] = []
    for scheme in (p for p in _boxes(read, sinf.content, sinf.end) if p.type == b"schi"):
        for place in _boxes(read, scheme.content, scheme.end):
            found[place.type] = place
    if b"cstb" in found:
        starts = _read_cstb(read, found[b"cstb"])
    if b"sibo" not in found or b"cert" not in found:
        raise WireError("a sinf without sibo or cert", offset=sinf.start)
    signature = found[b"sibo"]
    sizes = (
        (meta.start, sinf.end - meta.start),
        (protection.start, sinf.end - protection.start),
    )
    seal = Seal(
        _content(read, signature),
        signature.content,
        _content(read, found[b"cert"]),
        sinf.end,
        sizes,
    )
    return seal, starts
