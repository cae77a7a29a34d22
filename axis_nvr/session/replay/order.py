"""What a PLAY wants of a recording: read from its headers, and told in the reply.

::

    Range: clock=20240131T120000.000Z-    from where, up to where; backwards with a negative Scale
    Scale: -1.0                           how fast the recording's time goes by
    Speed: 2.0                            how much faster than that it is delivered
    Rate-Control: no                      as fast as the client reads
    Frames: intra/4000                    which pictures
    Immediate: yes                        every PLAY is: nothing is queued

Source: ONVIF Streaming Specification, Playback; RFC 2326 §12.29, §12.34, §12.35.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from axis_nvr.errors import WireError
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.wire.ntp import NTP_TO_UNIX_SECONDS
from axis_nvr.wire.rtsp import Headers
from axis_nvr.wire.rtsp_range import Range, build_range

#: What a client names if it knows of this.
FEATURE = "onvif-replay"
#: Headers of nobody else: GStreamer sends them without naming the feature.
REPLAY_HEADERS = ("Rate-Control", "Frames", "Immediate")
#: How slow and how fast the time of a recording may go by; beyond that, the nearest.
MIN_SCALE, MAX_SCALE = Fraction(1, 32), Fraction(64)
#: Faster than this only key frames are sent, whatever `Frames` says.
KEY_FRAMES_ABOVE = Fraction(4)
#: Key frames are at least so far apart when they are shown, in microseconds.
MIN_SHOWN_APART_US = 40_000
#: The longest interval between key frames that can be asked for, in milliseconds: a day.
MAX_INTERVAL_MS = 86_400_000

#: From 1900 to 1970, in microseconds.
_NTP_ERA_US = NTP_TO_UNIX_SECONDS * 1_000_000
_DECIMAL = re.compile(r"(-?)([0-9]{0,6})(?:\.([0-9]{0,9}))?")
_INTRA = re.compile(r"intra/([0-9]{1,9})")


class Frames(StrEnum):
    """Which pictures are sent."""

    ALL = "all"
    PREDICTED = "predicted"
    INTRA = "intra"


@dataclass(frozen=True, slots=True)
class Extent:
    """Of what time there is anything.

    :param start_us: UTC, microseconds since 1970; what ``npt`` and ``smpte`` count from.
    :param end_us: None while it is being recorded.
    """

    start_us: int
    end_us: int | None


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be played.

    :param start_us: from here: UTC, microseconds since 1970; None: from the beginning, backwards
        from the end.
    :param end_us: up to here; None: as far as it goes.
    :param scale: how fast, backwards if negative; ±1 if it is not paced.
    :param is_paced: in time, and not as fast as the client reads.
    :param frames: which pictures.
    :param interval_us: key frames are at least so far apart.
    :param is_newest: from the newest key frame.
    :param unit: ``clock`` or ``npt``: how ranges are told.
    """

    start_us: int | None = None
    end_us: int | None = None
    scale: Fraction = Fraction(1)
    speed: Fraction = Fraction(1)
    is_paced: bool = True
    frames: Frames = Frames.ALL
    interval_us: int = 0
    is_newest: bool = False
    unit: str = "clock"

    @property
    def is_forward(self) -> bool:
        """Whether time rises."""
        return self.scale > 0

    @property
    def rate(self) -> Fraction:
        """How many seconds of the recording go by in one."""
        return abs(self.scale) * self.speed

    @property
    def has_sound(self) -> bool:
        """Whether anything but pictures is sent: not backwards, nor at another tempo."""
        return self.is_forward and (not self.is_paced or self.scale == 1)


def read_order(
    headers: Headers,
    asked: Range | None,
    extent: Extent,
    *,
    pull: bool = False,
    may_flood: bool = True,
    unit: str = "clock",
) -> Order:
    """Read what a PLAY wants.

    :param asked: its range, None without one.
    :param pull: ``Rate-Control`` where it says nothing: as fast as the client reads.
    :param may_flood: whether a client that does not keep up is noticed; else it is always in time.
    :param unit: how ranges are told where the client does not say.
    :raises RequestRefused: 400, a header cannot be read; 457, nothing is there.
    """
    is_paced = _is_paced(headers.get("Rate-Control"), pull=pull) or not may_flood
    scale = _decimal(headers.get("Scale"), "Scale")
    speed = _decimal(headers.get("Speed"), "Speed")
    if not is_paced:
        scale, speed = Fraction(1 if scale > 0 else -1), Fraction(1)
    scale = _within(abs(scale)) * (1 if scale > 0 else -1)
    speed = _within(abs(speed))
    frames, interval_us = _frames(headers.get("Frames"))
    rate = abs(scale) * speed
    if is_paced and rate > KEY_FRAMES_ABOVE:
        frames = Frames.INTRA
    if is_paced and frames is Frames.INTRA:
        interval_us = max(interval_us, int(MIN_SHOWN_APART_US * rate) if rate > 1 else 0)
    order = Order(
        scale=scale, speed=speed, is_paced=is_paced, frames=frames, interval_us=interval_us
    )
    return _with_range(order, asked, extent, unit)


def _is_paced(value: str, *, pull: bool) -> bool:
    match value.strip().lower():
        case "":
            return not pull
        case "yes":
            return True
        case "no":
            return False
    raise RequestRefused(400, "Bad Request: Rate-Control")


def _decimal(value: str, name: str) -> Fraction:
    """Read a factor; one where nothing is said."""
    if not value.strip():
        return Fraction(1)
    found = _DECIMAL.fullmatch(value.strip())
    number = Fraction(f"{found[2] or '0'}.{found[3] or '0'}") if found else Fraction(0)
    if found is None or not number or (found[1] and name == "Speed"):
        raise RequestRefused(400, f"Bad Request: {name}")
    return -number if found[1] else number


def _times(asked: Range) -> list[int]:
    return [time_us for time_us in (asked.start_us, asked.end_us) if time_us is not None]


def _within(factor: Fraction) -> Fraction:
    return min(max(factor, MIN_SCALE), MAX_SCALE)


def _frames(value: str) -> tuple[Frames, int]:
    text = value.strip().lower()
    if not text:
        return Frames.ALL, 0
    if text in tuple(Frames):
        return Frames(text), 0
    found = _INTRA.fullmatch(text)
    if found is None:
        raise RequestRefused(400, "Bad Request: Frames")
    return Frames.INTRA, min(int(found[1]), MAX_INTERVAL_MS) * 1000


def _with_range(order: Order, asked: Range | None, extent: Extent, unit: str) -> Order:
    """Say from where to where.

    :raises RequestRefused: 457.
    """
    if asked is None:
        return replace(order, unit=unit)
    unit = "clock" if asked.unit == "clock" else "npt"
    zero_us = 0 if unit == "clock" else extent.start_us
    if unit == "npt" and min(_times(asked), default=0) >= _NTP_ERA_US:
        # GStreamer 1.22's rtspsrc: told of a range in clock units, it asks for seconds since 1900
        # as npt, unless it is in its ONVIF mode.
        unit, zero_us = "clock", -_NTP_ERA_US
    start_us = None if asked.start_us is None else asked.start_us + zero_us
    end_us = None if asked.end_us is None else asked.end_us + zero_us
    if start_us is not None and end_us is not None:
        along = start_us <= end_us if order.is_forward else start_us >= end_us
        if not along:
            raise RequestRefused(457, "Invalid Range: against the direction")
    if order.is_forward:
        if start_us is not None and extent.end_us is not None and start_us > extent.end_us:
            raise RequestRefused(457, "Invalid Range: behind the end")
        if end_us is not None and end_us < extent.start_us:
            raise RequestRefused(457, "Invalid Range: before the beginning")
    else:
        if start_us is not None and start_us < extent.start_us:
            raise RequestRefused(457, "Invalid Range: before the beginning")
        if end_us is not None and extent.end_us is not None and end_us > extent.end_us:
            raise RequestRefused(457, "Invalid Range: behind the end")
    return replace(order, start_us=start_us, end_us=end_us, is_newest=asked.now, unit=unit)


def range_value(order: Order, extent: Extent, start_us: int) -> str:
    """Write the ``Range`` of the reply.

    :param start_us: of what is sent first.
    """
    end_us = order.end_us
    if end_us is None:
        end_us = extent.end_us if order.is_forward else extent.start_us
    zero_us = 0 if order.unit == "clock" else extent.start_us
    ended_us = None if end_us is None else max(0, end_us - zero_us)
    try:
        return build_range(Range(order.unit, max(0, start_us - zero_us), ended_us))
    except WireError:
        return build_range(Range("npt", 0))


def reply_headers(order: Order, asked: Headers) -> list[tuple[str, str]]:
    """Tell what is in effect.

    :param asked: the headers of the request: what is named there is told, and what is not as
        usual.
    """
    values = {
        "Scale": (_decimal_text(order.scale), order.scale != 1),
        "Speed": (_decimal_text(order.speed), False),
        "Rate-Control": ("yes" if order.is_paced else "no", not order.is_paced),
        "Frames": (_frames_text(order), order.frames is not Frames.ALL),
    }
    return [(name, text) for name, (text, differs) in values.items() if name in asked or differs]


def _decimal_text(factor: Fraction) -> str:
    text = f"{float(factor):.6f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def _frames_text(order: Order) -> str:
    if order.frames is Frames.INTRA and order.interval_us:
        return f"intra/{order.interval_us // 1000}"
    return str(order.frames)
