"""``recording.xml`` and a block's XML: what the files say of themselves, as Axis devices write it.

One line, no declaration, elements in a fixed order::

    Recording @RecordingToken                         RecordingBlock @RecordingBlockToken
      RecordingGroup  SourceToken                       RecordingToken
      StartTime  StopTime    absent while it runs       StartTime  StopTime   absent while open
      Content                empty                      Status     Recording, Complete
      Track @TrackToken      Video, Audio
      Application
      CustomAttributes       TriggerTrigger TriggerName TriggerType, ours: Device StreamOptions

A disk may come from anywhere: what is read is bounded, and a document type or an entity of its own
is refused before a parser sees it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from axis_nvr.errors import WireError
from axis_nvr.storage.layout import parse_utc, utc_text
from axis_nvr.wire.xml_text import xml_text

#: The most tracks read of one recording.
MAX_TRACKS = 32

_DECLARATION = re.compile("<!(DOCTYPE|ENTITY)", re.IGNORECASE)


class BlockStatus(StrEnum):
    """Whether a block is whole."""

    RECORDING = "Recording"
    COMPLETE = "Complete"


@dataclass(frozen=True, slots=True)
class TrackXml:
    """What a recording says of one track.

    :param token: ``Video`` or ``Audio``.
    :param attributes: names and texts, in order.
    """

    token: str
    attributes: tuple[tuple[str, str], ...]

    @property
    def kind(self) -> str:
        """``Video`` or ``Audio``, also of a second audio track (``Audio2``)."""
        return self.token.rstrip("0123456789")


@dataclass(frozen=True, slots=True)
class RecordingXml:
    """A ``recording.xml``.

    :param group: token of the recording group, empty without one.
    :param source_token: number of the camera, 1 if there is but one.
    :param stop_us: None while the recording runs.
    :param trigger_type: ``continuous`` or ``triggered``.
    :param trigger_trigger: name of the action.
    :param trigger_name: name of the rule.
    """

    recording_id: str
    start_us: int
    stop_us: int | None = None
    group: str = ""
    source_token: int = 1
    tracks: tuple[TrackXml, ...] = ()
    trigger_trigger: str = ""
    trigger_name: str = ""
    trigger_type: str = ""
    device: str = ""
    stream_options: str = ""


@dataclass(frozen=True, slots=True)
class BlockXml:
    """The XML beside a block's Matroska file; `stop_us` is None while it is open."""

    block_id: str
    recording_id: str
    start_us: int
    stop_us: int | None
    status: BlockStatus


def element(name: str, text: str) -> str:
    """Write an element that holds a text."""
    content = escape(xml_text(text), {"\r": "&#13;"})
    return f"<{name}>{content}</{name}>"


def _texts(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(element(name, text) for name, text in pairs)


def _stop(stop_us: int | None) -> str:
    return "" if stop_us is None else element("StopTime", utc_text(stop_us))


def _track(track: TrackXml) -> str:
    attributes = f"{track.kind}Attributes"
    content = _texts(track.attributes)
    return (
        f"<Track TrackToken={quoteattr(track.token)}><{attributes}>{content}</{attributes}></Track>"
    )


def build_recording(recording: RecordingXml) -> bytes:
    """Write a ``recording.xml``."""
    custom = _texts(
        (
            ("TriggerTrigger", recording.trigger_trigger),
            ("TriggerName", recording.trigger_name),
            ("TriggerType", recording.trigger_type),
            ("Device", recording.device),
            ("StreamOptions", recording.stream_options),
        )
    )
    parts = (
        f"<Recording RecordingToken={quoteattr(recording.recording_id)}>",
        element("RecordingGroup", recording.group),
        element("SourceToken", str(recording.source_token)),
        element("StartTime", utc_text(recording.start_us)),
        _stop(recording.stop_us),
        element("Content", ""),
        *(_track(track) for track in recording.tracks),
        element("Application", "AxisCamera"),
        f"<CustomAttributes>{custom}</CustomAttributes></Recording>",
    )
    return "".join(parts).encode()


def build_block(block: BlockXml) -> bytes:
    """Write a block's XML."""
    parts = (
        f"<RecordingBlock RecordingBlockToken={quoteattr(block.block_id)}>",
        element("RecordingToken", block.recording_id),
        element("StartTime", utc_text(block.start_us)),
        _stop(block.stop_us),
        element("Status", block.status),
        "</RecordingBlock>",
    )
    return "".join(parts).encode()


def parse_recording(data: bytes) -> RecordingXml:
    """Read a ``recording.xml``, ours or a camera's.

    :raises WireError: no such document.
    """
    root = parse_root(data, "Recording")
    source = text_of(root, "SourceToken").strip()
    custom = root.find("CustomAttributes")
    custom = root if custom is None else custom
    tracks = root.findall("Track")
    if len(tracks) > MAX_TRACKS:
        raise WireError(f"{len(tracks)} tracks")
    return RecordingXml(
        recording_id=root.get("RecordingToken", ""),
        start_us=_time(root, "StartTime"),
        stop_us=_optional_time(root),
        group=text_of(root, "RecordingGroup").strip(),
        source_token=int(source) if re.fullmatch("[0-9]{1,9}", source, re.ASCII) else 1,
        tracks=tuple(_parse_track(track) for track in tracks),
        trigger_trigger=text_of(custom, "TriggerTrigger"),
        trigger_name=text_of(custom, "TriggerName"),
        trigger_type=text_of(custom, "TriggerType"),
        device=text_of(custom, "Device"),
        stream_options=text_of(custom, "StreamOptions"),
    )


def parse_block(data: bytes) -> BlockXml:
    """Read a block's XML, ours or a camera's.

    :raises WireError: no such document.
    """
    root = parse_root(data, "RecordingBlock")
    status = text_of(root, "Status").strip()
    if status not in tuple(BlockStatus):
        raise WireError(f"Status {status!r:.40}")
    return BlockXml(
        block_id=root.get("RecordingBlockToken", ""),
        recording_id=text_of(root, "RecordingToken").strip(),
        start_us=_time(root, "StartTime"),
        stop_us=_optional_time(root),
        status=BlockStatus(status),
    )


def parse_root(data: bytes, root_name: str) -> ET.Element:
    """Read a document of ours or a camera's.

    :raises WireError: it cannot be read, declares anything, or is another document.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WireError("XML that is not UTF-8", offset=error.start) from None
    if match := _DECLARATION.search(text):
        raise WireError(f"XML with {match[0]}", offset=match.start())
    try:
        root = ET.fromstring(text)  # noqa: S314 - no document type, so no entities
    except (ET.ParseError, ValueError) as error:  # ValueError: an encoding nobody knows
        raise WireError(f"XML that cannot be read: {error}") from None
    if root.tag != root_name:
        raise WireError(f"<{root.tag:.40}> where <{root_name}> was expected")
    return root


def _parse_track(track: ET.Element) -> TrackXml:
    attributes = tuple(
        (child.tag, child.text or "") for group in track for child in group if len(group) <= 100
    )
    return TrackXml(track.get("TrackToken", ""), attributes)


def text_of(parent: ET.Element, name: str) -> str:
    """Give the text of a child; empty if there is no such child."""
    return parent.findtext(name) or ""


def _time(root: ET.Element, name: str) -> int:
    return parse_utc(text_of(root, name).strip())


def _optional_time(root: ET.Element) -> int | None:
    return _time(root, "StopTime") if text_of(root, "StopTime").strip() else None
