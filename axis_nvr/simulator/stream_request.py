"""The arguments of ``media.amp``, as the virtual camera understands them.

What it cannot do is refused with 400 and words, as a camera refuses; arguments it does not know
are ignored, as a camera ignores them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from axis_nvr.errors import WireError
from axis_nvr.media.units import Codec
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.simulator.bitstream import RESOLUTIONS, VIDEO_CODECS, video_bitstream
from axis_nvr.wire.event_filter import EventFilter
from axis_nvr.wire.item_filter import ItemFilter
from axis_nvr.wire.topics import TopicFilter

#: Pictures a second where ``fps`` is absent or 0: what the sensor gives.
DEFAULT_FPS = 30
#: The highest ``fps``.
MAX_FPS = 60
#: ``videokeyframeinterval`` where it is absent, in pictures.
DEFAULT_KEY_FRAME_INTERVAL = 32
#: Digits of a numeric argument.
_MAX_DIGITS = 9

#: Values of ``audiocodec``; Axis devices have ``aac`` and ``opus``.
AUDIO_CODECS = {"aac": Codec.AAC, "g711": Codec.PCMU}
#: Arguments that mean nothing without ``videobitratemode``.
RATE_CONTROL = (
    "videomaxbitrate",
    "videobitratepriority",
    "videoabrtargetbitrate",
    "videoabrmaxbitrate",
    "videoabrretentiontime",
)
BITRATE_MODES = ("vbr", "mbr", "abr")


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What a URL asks for.

    :param video: None for no video.
    :param audio: None for no sound.
    :param event_filter: which events, by topic and content; None for no events.
    """

    video: Codec | None
    width: int
    height: int
    fps: int
    key_frame_interval: int
    audio: Codec | None
    event_filter: EventFilter | None


def read_arguments(
    arguments: Mapping[str, str], *, audio_by_default: bool = False
) -> StreamRequest:
    """Read the arguments of a URL.

    :param arguments: decoded, names in lower case.
    :param audio_by_default: whether ``audio`` is 1 where it is absent.
    :raises RequestRefused: 400, the camera cannot do that; 404, there are no recordings.
    """
    if "recordingid" in arguments:
        raise RequestRefused(404, "Not Found: this camera has no recordings")
    if arguments.get("camera", "1") != "1":
        raise _bad("camera", arguments["camera"], "1")
    _check_rate_control(arguments)
    video = _switch(arguments, "video", default=True)
    audio = _switch(arguments, "audio", default=audio_by_default)
    events = _choice(arguments, "event", ("off", "on")) == "on"
    if not (video or audio or events):
        raise RequestRefused(400, "Bad Request: neither video nor audio nor events")
    width, height = _resolution(arguments.get("resolution", ""))
    codec = Codec(_choice(arguments, "videocodec", tuple(map(str, VIDEO_CODECS))))
    most = len(video_bitstream(codec, width, height).pictures)
    interval = _number(arguments, "videokeyframeinterval", DEFAULT_KEY_FRAME_INTERVAL, most)
    if interval == 0:
        raise _bad("videokeyframeinterval", "0", f"1 to {most}")
    return StreamRequest(
        video=codec if video else None,
        width=width,
        height=height,
        fps=_number(arguments, "fps", 0, MAX_FPS) or DEFAULT_FPS,
        key_frame_interval=interval,
        audio=AUDIO_CODECS[_choice(arguments, "audiocodec", tuple(AUDIO_CODECS))]
        if audio
        else None,
        event_filter=_event_filter(arguments) if events else None,
    )


def _event_filter(arguments: Mapping[str, str]) -> EventFilter:
    """Read which events are wanted."""
    try:
        topics = TopicFilter.parse(arguments.get("eventtopic", ""))
        content = ItemFilter.parse(arguments.get("eventcontent", ""))
    except WireError as error:
        raise RequestRefused(400, f"Bad Request: {error}") from error
    return EventFilter(topics, (content,) if content.text else ())


def _bad(name: str, value: str, allowed: str) -> RequestRefused:
    """Refuse a value, saying which ones there are."""
    shown = re.sub(r"[^ -~]", "?", value[:40])
    return RequestRefused(400, f"Bad Request: {name}={shown} not supported (supported: {allowed})")


def _choice(arguments: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    """Read one of several words; absent, it is the first."""
    value = arguments.get(name, allowed[0]).lower()
    if value not in allowed:
        raise _bad(name, value, ", ".join(allowed))
    return value


def _switch(arguments: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = arguments.get(name, "1" if default else "0")
    if value not in ("0", "1"):
        raise _bad(name, value, "0, 1")
    return value == "1"


def _number(arguments: Mapping[str, str], name: str, default: int, most: int) -> int:
    value = arguments.get(name, str(default))
    if not re.fullmatch(rf"[0-9]{{1,{_MAX_DIGITS}}}", value) or int(value) > most:
        raise _bad(name, value, f"up to {most}")
    return int(value)


def _resolution(value: str) -> tuple[int, int]:
    allowed = {f"{width}x{height}": (width, height) for width, height in RESOLUTIONS}
    if not value:
        return RESOLUTIONS[0]
    if value.lower() not in allowed:
        raise _bad("resolution", value, ", ".join(allowed))
    return allowed[value.lower()]


def _check_rate_control(arguments: Mapping[str, str]) -> None:
    """Hold the rule that rate control names its mode; what it sets has no effect here."""
    named = [name for name in RATE_CONTROL if name in arguments]
    if named and "videobitratemode" not in arguments:
        raise RequestRefused(400, f"Bad Request: {named[0]} without videobitratemode")
    if "videobitratemode" in arguments:
        _choice(arguments, "videobitratemode", BITRATE_MODES)
    for name in named:
        if name != "videobitratepriority":
            _number(arguments, name, 0, 10**_MAX_DIGITS - 1)
