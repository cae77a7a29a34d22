"""The XML of blocks and recordings, completed, or made anew from the media.

What is read may be in memory only, where a recorder was killed before it synced it. So a folder is
synced before it is believed.

What is there is changed as little as can be: an XML that says all that it should is not written,
and a ``recording.xml`` without stop time gets one and stays as it is otherwise, also where a camera
has written more than we know of.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from axis_nvr.errors import NvrError, WireError
from axis_nvr.media.units import Codec
from axis_nvr.storage.files import IFiles, read_text, replace_file, storage_errors
from axis_nvr.storage.index import MediaRow, RecordingRow
from axis_nvr.storage.layout import RECORDING_XML, utc_text
from axis_nvr.storage.tracks import CODEC_IDS, MIME_TYPES, WAVE_FORMAT
from axis_nvr.storage.xml import (
    BlockStatus,
    BlockXml,
    RecordingXml,
    TrackXml,
    build_block,
    build_recording,
    parse_block,
    parse_recording,
)
from axis_nvr.wire.matroska import Track
from axis_nvr.wire.matroska_elements import AUDIO_TRACK, VIDEO_TRACK

#: Where a stop time stands: behind the start time, or in place of one.
_STOP = re.compile(rb"<StopTime>[^<]*</StopTime>|<StopTime\s*/>")
_START = re.compile(rb"</StartTime>")
#: Microsoft's codecs by their tag in CodecPrivate.
_WAVE_CODECS = {7: Codec.PCMU, 6: Codec.PCMA, 0x45: Codec.G726}
#: What a recording was that has no ``recording.xml`` to tell.
_UNKNOWN_TRIGGER = "continuous"


def read_block_xml(files: IFiles, path: Path) -> BlockXml | None:
    """Read the XML beside a block's file; None if there is none that can be read.

    :param path: of either.
    """
    try:
        return parse_block(read_text(files, path.with_suffix(".xml")))
    except (OSError, NvrError):
        return None


def complete_block_xml(files: IFiles, path: Path, recording_id: str, span: tuple[int, int]) -> None:
    """Say that a block is whole, if its XML does not say so yet.

    :param path: of its media.
    :param span: its start and stop: UTC, microseconds since 1970.
    :raises StorageError: it cannot be written.
    """
    xml = BlockXml(path.stem, recording_id, *span, BlockStatus.COMPLETE)
    if read_block_xml(files, path) != xml:
        _replace(files, path.with_suffix(".xml"), build_block(xml))
    else:
        keep_names(files, path.parent)


def read_recording_xml(files: IFiles, recording: Path) -> RecordingXml | None:
    """Read a recording's XML; None if there is none that can be read."""
    try:
        return parse_recording(read_text(files, recording / RECORDING_XML))
    except (OSError, NvrError):
        return None


def is_of_camera(files: IFiles, recording: Path) -> bool:
    """Tell whether a recording's XML is not one of ours: these name the device, if only emptily."""
    try:
        return b"<Device>" not in read_text(files, recording / RECORDING_XML)
    except (OSError, NvrError):
        return False


def complete_recording_xml(files: IFiles, recording: Path, row: RecordingRow) -> None:
    """Say when a recording ended, if its XML does not say so yet.

    :param recording: its folder.
    :param row: the recording as the index has it: what is written where there is no XML.
    :raises StorageError: it cannot be written.
    """
    path, stop_us = recording / RECORDING_XML, row.stop_us or 0
    xml = read_recording_xml(files, recording)
    if xml is None:
        _replace(files, path, build_recording(_xml_of_row(row)))
    elif xml.stop_us != stop_us:
        with storage_errors(path, "read"):
            data = read_text(files, path)
        _replace(files, path, with_stop(data, stop_us))
    else:
        keep_names(files, recording)


def with_stop(data: bytes, stop_us: int) -> bytes:
    """Put a stop time into a ``recording.xml``, all else as it was."""
    stop = f"<StopTime>{utc_text(stop_us)}</StopTime>".encode()
    if _STOP.search(data):
        changed = _STOP.sub(stop, data, count=1)
    else:
        changed = _START.sub(b"</StartTime>" + stop, data, count=1)
    try:
        if parse_recording(changed).stop_us == stop_us:
            return changed
    except WireError:
        pass
    return build_recording(replace(parse_recording(data), stop_us=stop_us))


def write_recording_xml(files: IFiles, recording: Path, xml: RecordingXml) -> None:
    """Put a ``recording.xml`` in place.

    :raises StorageError: it cannot be written.
    """
    _replace(files, recording / RECORDING_XML, build_recording(xml))


def keep_names(files: IFiles, folder: Path) -> None:
    """Make durable what names a folder holds: a recorder that was killed may not have come to it.

    :raises StorageError: it cannot be synced.
    """
    with storage_errors(folder, "sync a folder"):
        files.sync_folder(folder)


def _replace(files: IFiles, path: Path, data: bytes) -> None:
    with storage_errors(path, "write"):
        replace_file(files, path, data)
        files.sync_folder(path.parent)


# From one form to another.


def row_of_xml(xml: RecordingXml) -> RecordingRow:
    """Give the row that a ``recording.xml`` tells of."""
    return RecordingRow(
        recording_id=xml.recording_id,
        start_us=xml.start_us,
        stop_us=xml.stop_us,
        recording_type=xml.trigger_type,
        source=str(xml.source_token),
        event=xml.trigger_name,
        action=xml.trigger_trigger,
        video=_media_row(xml.tracks, "Video"),
        audio=_media_row(xml.tracks, "Audio"),
        device=xml.device,
        stream_options=xml.stream_options,
        group=xml.group,
    )


def _media_row(tracks: Sequence[TrackXml], kind: str) -> MediaRow | None:
    pairs: tuple[tuple[str, str], ...]
    for track in tracks:
        if track.kind != kind:
            continue
        told = dict(track.attributes)
        if kind == "Video":
            width, height = told.get("Width", "0"), told.get("Height", "0")
            pairs = (
                ("width", width),
                ("height", height),
                ("framerate", told.get("Framerate_fraction", "0:1")),
                ("resolution", f"{width}x{height}"),
            )
        else:
            pairs = (
                ("samplerate", told.get("Samplerate", "0")),
                ("channels", told.get("Channels", "0")),
            )
        lines = "\n".join(f'"{name}"="{value}"' for name, value in pairs)
        return MediaRow(told.get("Encoding", ""), lines)
    return None


def _xml_of_row(row: RecordingRow) -> RecordingXml:
    return RecordingXml(
        recording_id=row.recording_id,
        start_us=row.start_us or 0,
        stop_us=row.stop_us,
        group=row.group,
        source_token=int(row.source) if row.source.isdecimal() and len(row.source) < 10 else 1,
        tracks=tuple(_xml_of_media(row)),
        trigger_trigger=row.action,
        trigger_name=row.event,
        trigger_type=row.recording_type,
        device=row.device,
        stream_options=row.stream_options,
    )


def _xml_of_media(row: RecordingRow) -> list[TrackXml]:
    tracks = []
    for media, kind in ((row.video, "Video"), (row.audio, "Audio")):
        if media is None:
            continue
        told = dict(re.findall(r'"([a-z]{1,20})"="([^"]{0,40})"', media.properties))
        names = ("Width", "Height") if kind == "Video" else ("Samplerate", "Channels")
        pairs = [(name, told.get(name.lower(), "0")) for name in names]
        if kind == "Video":
            pairs += _rate_pairs(told.get("framerate", "0:1"))
        tracks.append(TrackXml(kind, (*pairs, ("Encoding", media.mime_type), ("Bitrate", "0"))))
    return tracks


def _rate_pairs(fraction: str) -> list[tuple[str, str]]:
    rate = Fraction(0)
    if re.fullmatch("[0-9]{1,9}:[1-9][0-9]{0,8}", fraction, re.ASCII):
        rate = Fraction(fraction.replace(":", "/"))
    return [
        ("Framerate", f"{float(rate):.5f}"),
        ("Framerate_fraction", f"{rate.numerator}:{rate.denominator}"),
    ]


def xml_of_tracks(recording_id: str, start_us: int, tracks: Sequence[Track]) -> RecordingXml:
    """Make the XML of a recording that has none, from what its first block declares."""
    return RecordingXml(
        recording_id=recording_id,
        start_us=start_us,
        tracks=tuple(_xml_of_track(track) for track in tracks if track.kind in _KINDS),
        trigger_trigger=_UNKNOWN_TRIGGER,
        trigger_name=_UNKNOWN_TRIGGER,
        trigger_type=_UNKNOWN_TRIGGER,
    )


_KINDS = {VIDEO_TRACK: "Video", AUDIO_TRACK: "Audio"}
_CODECS = {codec_id: codec for codec, codec_id in CODEC_IDS.items()}


def _xml_of_track(track: Track) -> TrackXml:
    codec = _CODECS.get(track.codec_id)
    if track.codec_id == CODEC_IDS[Codec.PCMU] and len(track.codec_private) >= WAVE_FORMAT.sizeof():
        codec = _WAVE_CODECS.get(WAVE_FORMAT.parse(track.codec_private)["format_tag"])
    encoding = (("Encoding", "" if codec is None else MIME_TYPES[codec]), ("Bitrate", "0"))
    if track.kind == AUDIO_TRACK:
        pairs = [("Samplerate", str(track.sample_rate)), ("Channels", str(track.channels))]
        return TrackXml("Audio", (*pairs, *encoding))
    pairs = [("Width", str(track.width)), ("Height", str(track.height))]
    duration_ns = track.default_duration_ns
    rate = Fraction(1_000_000_000, duration_ns).limit_denominator(1001) if duration_ns else 0
    rate = Fraction(rate)
    return TrackXml(
        "Video", (*pairs, *_rate_pairs(f"{rate.numerator}:{rate.denominator}"), *encoding)
    )
