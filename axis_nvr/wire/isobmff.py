"""The ISO base media file format, fragmented: what an MP4 export is made of.

::

    ftyp
    moov ─ mvhd, trak… ─ mvex ─ trex…          how to decode, no samples
    moof ─ mfhd, traf… ─ tfhd, tfdt, trun      times and sizes of the samples that follow
    mdat                                       the samples
    moof, mdat …

A box is a 32-bit size that counts itself, four letters, and content; a full box has version and
flags before its content. All is big-endian.

The descriptions build what is written once. What is written for each fragment, `build_fragment`,
builds the table of samples in one go and is held equal to `TRUN`.

Source: ISO/IEC 14496-12 §4.2, §8; 14496-14 §5.6; 14496-15 §5.4, §8.4; Opus in ISOBMFF §4.3.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from construct import (
    Array,
    Bytes,
    Const,
    CString,
    GreedyBytes,
    GreedyRange,
    Int8ub,
    Int16ub,
    Int24ub,
    Int32sb,
    Int32ub,
    Padding,
    Prefixed,
    Struct,
    this,
)

#: What a sample's flags say (§8.8.3.1): it depends on no other; it depends on others.
SYNC_FLAGS = 0x02000000
OTHER_FLAGS = 0x01010000
#: The unity matrix of `mvhd` and `tkhd`, 16.16 and 2.30 fixed point.
_MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)

#: A box (§4.2); `type` tells what `content` is.
BOX = Prefixed(Int32ub, Struct("type" / Bytes(4), "content" / GreedyBytes), includelength=True)
#: Version and flags of a full box, and its content.
FULL_BOX = Struct("version" / Int8ub, "flags" / Int24ub, "content" / GreedyBytes)

FTYP = Struct("major" / Bytes(4), "minor" / Int32ub, "compatible" / GreedyRange(Bytes(4)))
#: Version 0 (§8.2.2); times are left at 0: when it was is told elsewhere, exactly.
MVHD = Struct(
    Padding(8),
    "timescale" / Int32ub,
    "duration" / Int32ub,
    Const(0x00010000, Int32ub),
    Const(0x0100, Int16ub),
    Padding(10),
    Const(_MATRIX),
    Padding(24),
    "next_track_id" / Int32ub,
)
#: Version 0 (§8.3.2); width and height are 16.16 fixed point.
TKHD = Struct(
    Padding(8),
    "track_id" / Int32ub,
    Padding(4),
    "duration" / Int32ub,
    Padding(8),
    "layer" / Int16ub,
    "alternate_group" / Int16ub,
    "volume" / Int16ub,
    Padding(2),
    Const(_MATRIX),
    "width" / Int32ub,
    "height" / Int32ub,
)
#: Version 0 (§8.4.2); the language is ``und``.
MDHD = Struct(
    Padding(8), "timescale" / Int32ub, "duration" / Int32ub, Const(0x55C4, Int16ub), Padding(2)
)
HDLR = Struct(Padding(4), "type" / Bytes(4), Padding(12), "name" / CString("utf8"))
TREX = Struct(
    "track_id" / Int32ub,
    "entry" / Int32ub,
    "duration" / Int32ub,
    "size" / Int32ub,
    "flags" / Int32ub,
)
#: §12.1.3; the configuration of the decoder follows as a box.
VISUAL_SAMPLE_ENTRY = Struct(
    Padding(6),
    Const(1, Int16ub),
    Padding(16),
    "width" / Int16ub,
    "height" / Int16ub,
    Const(0x00480000, Int32ub),
    Const(0x00480000, Int32ub),
    Padding(4),
    Const(1, Int16ub),
    Padding(32),
    Const(0x0018, Int16ub),
    Const(0xFFFF, Int16ub),
    "boxes" / GreedyBytes,
)
#: §12.2.3; the rate is 16.16 fixed point, 0 if it is over 65 535 Hz.
AUDIO_SAMPLE_ENTRY = Struct(
    Padding(6),
    Const(1, Int16ub),
    Padding(8),
    "channels" / Int16ub,
    "bits" / Int16ub,
    Padding(4),
    "rate" / Int32ub,
    "boxes" / GreedyBytes,
)
TFHD = Struct("track_id" / Int32ub, "entry" / Int32ub)
#: Flags of `trun`: where the data is, and the four columns.
TRUN_FLAGS = 0x000001 | 0x000100 | 0x000200 | 0x000400 | 0x000800
#: A `trun` with sizes, durations, flags and signed composition offsets (§8.8.8), version 1.
TRUN = Struct(
    "count" / Int32ub,
    "data_offset" / Int32sb,
    "samples"
    / Array(
        this.count,
        Struct("duration" / Int32ub, "size" / Int32ub, "flags" / Int32ub, "offset" / Int32sb),
    ),
)
#: An MPEG-4 descriptor (14496-1 §8.3.3) whose size fits seven bits.
_DESCRIPTOR = Struct("tag" / Int8ub, "content" / Prefixed(Int8ub, GreedyBytes))
_DECODER_CONFIG = Struct(
    "object_type" / Int8ub,
    Const(0x15, Int8ub),  # an audio stream
    Padding(11),
    "specific" / GreedyBytes,
)


class Sample(NamedTuple):
    """A sample of a fragment.

    :ivar duration: in ticks of the track's timescale, as is `offset`.
    :ivar offset: from when it is decoded to when it is shown; may be negative.
    """

    duration: int
    size_bytes: int
    sync: bool
    offset: int = 0


@dataclass(frozen=True, slots=True)
class SampleTrack:
    """A track of a file.

    :param entries: its sample entries, from the functions below; fragments name one of them.
    :param timescale: ticks a second.
    :param is_video: else it is sound.
    """

    track_id: int
    name: str
    timescale: int
    is_video: bool
    entries: tuple[bytes, ...]
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """The samples of one track in a fragment.

    :param decode_time: when its first one is decoded, in ticks since the file's start.
    :param entry: which of the track's sample entries, from 1.
    """

    track_id: int
    decode_time: int
    samples: Sequence[Sample]
    entry: int = 1


def box(name: bytes, *parts: bytes) -> bytes:
    """Build a box."""
    built: bytes = BOX.build({"type": name, "content": b"".join(parts)})
    return built


def full_box(name: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    """Build a full box."""
    content = {"version": version, "flags": flags, "content": b"".join(parts)}
    return box(name, FULL_BOX.build(content))


def avc_entry(width: int, height: int, configuration: bytes, *, in_band: bool = False) -> bytes:
    """Build the sample entry of H.264.

    :param in_band: parameter sets are in the samples too, not only in `avcC`.
    """
    name = b"avc3" if in_band else b"avc1"
    return _visual(name, width, height, box(b"avcC", configuration))


def hevc_entry(width: int, height: int, configuration: bytes, *, in_band: bool = False) -> bytes:
    """Build the sample entry of H.265.

    :param in_band: parameter sets are in the samples too, not only in `hvcC`.
    """
    name = b"hev1" if in_band else b"hvc1"
    return _visual(name, width, height, box(b"hvcC", configuration))


def _visual(name: bytes, width: int, height: int, boxes: bytes) -> bytes:
    return box(name, VISUAL_SAMPLE_ENTRY.build({"width": width, "height": height, "boxes": boxes}))


def aac_entry(channels: int, rate: int, specific_config: bytes) -> bytes:
    """Build the sample entry of AAC.

    :param specific_config: AudioSpecificConfig (14496-3 §1.6.2.1).
    """
    specific = _DESCRIPTOR.build({"tag": 5, "content": specific_config})
    decoder = _DECODER_CONFIG.build({"object_type": 0x40, "specific": specific})
    parts = (
        b"\0\0\0",
        _DESCRIPTOR.build({"tag": 4, "content": decoder}),
        _DESCRIPTOR.build({"tag": 6, "content": b"\2"}),
    )
    descriptor = _DESCRIPTOR.build({"tag": 3, "content": b"".join(parts)})
    return _audio(b"mp4a", channels, 16, rate, full_box(b"esds", descriptor))


def opus_entry(channels: int, pre_skip: int, input_rate: int, gain: int, mapping: bytes) -> bytes:
    """Build the sample entry of Opus.

    :param mapping: from the family on, as in ``OpusHead``.
    """
    specific = struct.pack(">BBHIh", 0, channels, pre_skip, input_rate, gain) + mapping
    return _audio(b"Opus", channels, 16, 48_000, box(b"dOps", specific))


def log_pcm_entry(name: bytes, channels: int, rate: int) -> bytes:
    """Build the sample entry of G.711: ``ulaw`` or ``alaw``."""
    return _audio(name, channels, 16, rate, b"")


def linear_pcm_entry(channels: int, rate: int, bits: int) -> bytes:
    """Build the sample entry of big-endian linear PCM (ISO/IEC 23003-5 §5)."""
    return _audio(b"ipcm", channels, bits, rate, full_box(b"pcmC", bytes([0, bits])))


def _audio(name: bytes, channels: int, bits: int, rate: int, boxes: bytes) -> bytes:
    fixed = rate << 16 if rate < 1 << 16 else 0
    entry = {"channels": channels, "bits": bits, "rate": fixed, "boxes": boxes}
    return box(name, AUDIO_SAMPLE_ENTRY.build(entry))


def build_head(tracks: Iterable[SampleTrack], user_data: bytes = b"") -> bytes:
    """Build what a fragmented file begins with: ``ftyp`` and ``moov``.

    :param user_data: boxes of ``udta``, which tell of the file as a whole (§8.10.1).
    """
    tracks = tuple(tracks)
    brands = {"major": b"isom", "minor": 0x200, "compatible": [b"isom", b"iso6", b"mp41"]}
    next_id = max(track.track_id for track in tracks) + 1
    mvhd = MVHD.build({"timescale": 1000, "duration": 0, "next_track_id": next_id})
    trex = (_trex(track) for track in tracks)
    told = box(b"udta", user_data) if user_data else b""
    moov = (full_box(b"mvhd", mvhd), *map(_trak, tracks), box(b"mvex", *trex), told)
    return box(b"ftyp", FTYP.build(brands)) + box(b"moov", *moov)


def _trex(track: SampleTrack) -> bytes:
    defaults = {"entry": 1, "duration": 0, "size": 0, "flags": 0}
    return full_box(b"trex", TREX.build({"track_id": track.track_id, **defaults}))


def _trak(track: SampleTrack) -> bytes:
    fields: dict[str, Any] = {
        "track_id": track.track_id,
        "duration": 0,
        "layer": 0,
        "alternate_group": 0,
        "volume": 0 if track.is_video else 0x0100,
        "width": track.width << 16,
        "height": track.height << 16,
    }
    kind = b"vide" if track.is_video else b"soun"
    media_header = full_box(b"vmhd", bytes(8), flags=1)
    if not track.is_video:
        media_header = full_box(b"smhd", bytes(4))
    reference = full_box(b"dref", struct.pack(">I", 1), full_box(b"url ", flags=1))
    entries = struct.pack(">I", len(track.entries)) + b"".join(track.entries)
    empty = bytes(4)
    table = box(
        b"stbl",
        full_box(b"stsd", entries),
        full_box(b"stts", empty),
        full_box(b"stsc", empty),
        full_box(b"stsz", bytes(8)),
        full_box(b"stco", empty),
    )
    media = box(
        b"mdia",
        full_box(b"mdhd", MDHD.build({"timescale": track.timescale, "duration": 0})),
        full_box(b"hdlr", HDLR.build({"type": kind, "name": track.name})),
        box(b"minf", media_header, box(b"dinf", reference), table),
    )
    return box(b"trak", full_box(b"tkhd", TKHD.build(fields), flags=3), media)


_RUN_ROW = struct.Struct(">IIIi")
_MOOF_HEADER = struct.Struct(">I4sI4sII")
_TFHD = struct.Struct(">I4sIII")
_TFDT = struct.Struct(">I4sIQ")
_TRUN = struct.Struct(">I4sIIi")
_TFHD_FLAGS = 0x020000 | 0x000002  # offsets count from the moof; the sample entry is named
_MAX_SIZE_32 = (1 << 32) - 1


def build_fragment(sequence_number: int, runs: Sequence[Run]) -> bytes:
    """Build ``moof`` and the header of ``mdat``; the samples follow, run by run.

    :param sequence_number: from 1 on, one more for each fragment.
    """
    tables = [
        b"".join(
            _RUN_ROW.pack(duration, size, SYNC_FLAGS if sync else OTHER_FLAGS, offset)
            for duration, size, sync, offset in run.samples
        )
        for run in runs
    ]
    trafs = [8 + _TFHD.size + _TFDT.size + _TRUN.size + len(table) for table in tables]
    moof_size = _MOOF_HEADER.size + sum(trafs)
    sizes = [sum(sample.size_bytes for sample in run.samples) for run in runs]
    mdat = _mdat_header(sum(sizes))
    parts = [_MOOF_HEADER.pack(moof_size, b"moof", 16, b"mfhd", 0, sequence_number)]
    place = moof_size + len(mdat)
    for run, table, traf, size in zip(runs, tables, trafs, sizes, strict=True):
        parts += [
            struct.pack(">I4s", traf, b"traf"),
            _TFHD.pack(_TFHD.size, b"tfhd", _TFHD_FLAGS, run.track_id, run.entry),
            _TFDT.pack(_TFDT.size, b"tfdt", 1 << 24, run.decode_time),
            _TRUN.pack(
                _TRUN.size + len(table),
                b"trun",
                1 << 24 | TRUN_FLAGS,
                len(run.samples),
                place,
            ),
            table,
        ]
        place += size
    return b"".join([*parts, mdat])


def _mdat_header(size: int) -> bytes:
    if size + 8 <= _MAX_SIZE_32:
        return struct.pack(">I4s", size + 8, b"mdat")
    return struct.pack(">I4sQ", 1, b"mdat", size + 16)


class BoxPlace(NamedTuple):
    """Where a box is in a file: its first byte, its content, its end."""

    type: bytes
    start: int
    content: int
    end: int


def read_header(data: bytes, start: int, end: int) -> BoxPlace | None:
    """Read the header of a box; None if it is not whole or does not fit.

    :param data: at least 16 bytes from `start` on, unless the file ends before.
    :param start: where the box begins in the file.
    :param end: where what holds it ends.

    Source: ISO/IEC 14496-12 §4.2.2: size 1 is followed by a 64-bit size, size 0 lasts to the end.
    """
    if len(data) < 8:
        return None
    size, name = struct.unpack_from(">I4s", data)
    header = 8
    if size == 1:
        if len(data) < 16:
            return None
        (size,), header = struct.unpack_from(">Q", data, 8), 16
    elif size == 0:
        size = end - start
    if size < header or start + size > end:
        return None
    return BoxPlace(name, start, start + header, start + size)
