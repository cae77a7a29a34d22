"""Stream options: what is asked of a camera's stream, in the words of its RTSP URL.

A query string such as ``device=front&videocodec=h264&fps=25``. The recorder understands few options
and passes the others on untouched, in the order given:

==================================================  =========================================
``device``                                          which camera; never sent
``resolution``, ``fps``, ``videokeyframeinterval``  sent, a default if absent
``audio``, ``video``                                1 fetch, 0 leave out; sent, 0 and 1 if absent
``videozgopmode``, ``videozfpsmode``                with a pre-buffer sent as ``fixed`` if absent
all others                                          sent as they are, if present
==================================================  =========================================

Text in RFC 3986 §3.4 form comes in; what may not stand in a query is percent-encoded on the way
out, what is encoded already stays as it is. A value the camera does not like is for the camera to
refuse.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from axis_nvr.errors import WireError

#: The longest text of stream options taken, in characters.
MAX_OPTIONS_LENGTH = 4096
#: The most options taken in one text.
MAX_OPTIONS = 64
#: Sent to the camera if absent, in this order.
DEFAULTS = {
    "resolution": "1920x1080",
    "fps": "30",
    "videokeyframeinterval": "64",
    "audio": "0",
    "video": "1",
}
#: Sent too if absent where groups of pictures are held for later.
PRE_BUFFER_DEFAULTS = {"videozgopmode": "fixed", "videozfpsmode": "fixed"}
#: More pictures in a group than this are warned about where groups are held.
MANY_PICTURES = 100
#: Assumed where no option tells, kbit/s.
ASSUMED_KBIT_PER_SECOND = 4000
#: Groups in memory with a pre-buffer: two whole ones and the open one.
GROUPS_IN_MEMORY = 3

#: What stays as it is in a query: RFC 3986 §3.4 without "&" and "=", and what is encoded already.
_QUERY_SAFE = "-._~!$'()*+,;:@/?%"
_BARE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
#: Options of rate control: they need ``videobitratemode`` beside them.
_RATE_CONTROL = (
    "videomaxbitrate",
    "videobitratepriority",
    "videoabrtargetbitrate",
    "videoabrmaxbitrate",
    "videoabrretentiontime",
)


@dataclass(frozen=True, slots=True)
class StreamWarning:
    """Something asked for that will not work well. The stream is opened and recorded all the same.

    :param option: the option to change.
    :param reason: why, for people.
    """

    option: str
    reason: str

    def __str__(self) -> str:
        return f"{self.option}: {self.reason}"


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Stream options as given, without ``device``.

    :param device: the id of the camera.
    :param pairs: name and value, percent-encoded as given; an option without ``=`` has the value
        None.
    """

    device: str
    pairs: tuple[tuple[str, str | None], ...]

    @classmethod
    def parse(cls, text: str) -> "StreamOptions":
        """Read the options of a recording or of a client's request.

        :param text: a query string; a leading ``?`` is allowed.
        :raises WireError: too long, no ``device`` or more than one, ``audio`` or ``video`` neither
            0 nor 1 or given twice.
        """
        if len(text) > MAX_OPTIONS_LENGTH:
            raise WireError(f"stream options are longer than {MAX_OPTIONS_LENGTH} characters")
        parts = [part for part in text.removeprefix("?").split("&") if part]
        if len(parts) > MAX_OPTIONS:
            raise WireError(f"there are more than {MAX_OPTIONS} stream options")
        given: list[tuple[str, str | None]] = []
        devices = []
        for part in parts:
            name, equals, value = part.partition("=")
            if unquote(name) == "device":
                devices.append(unquote(value))
            else:
                given.append((_encode(name), _encode(value) if equals else None))
        if len(devices) != 1 or not devices[0]:
            found = "none" if not any(devices) else f"{len(devices)}"
            raise WireError(f"stream options must name one device=<camera id>, and name {found}")
        options = cls(devices[0], tuple(given))
        for name in ("audio", "video"):
            values = [value for key, value in given if key == name]
            if len(values) > 1 or (values and values[0] not in ("0", "1")):
                raise WireError(f"stream option {name} must be 0 or 1, given once")
        return options

    def get(self, name: str) -> str | None:
        """Return the value in force for an option, decoded; None if only the camera knows."""
        for key, value in self.pairs:
            if unquote(key) == name:
                return unquote(value or "")
        return DEFAULTS.get(name)

    @property
    def wants_audio(self) -> bool:
        """Whether sound is fetched."""
        return self.get("audio") == "1"

    @property
    def wants_video(self) -> bool:
        """Whether pictures are fetched."""
        return self.get("video") == "1"

    def effective(self, *, pre_buffer: bool) -> str:
        """Return the query that is sent to the camera: what was given, then the defaults.

        :param pre_buffer: whether groups of the stream are held for recordings that begin later.
        """
        names = {unquote(name) for name, _ in self.pairs}
        wanted = DEFAULTS | (PRE_BUFFER_DEFAULTS if pre_buffer else {})
        added = [(name, value) for name, value in wanted.items() if name not in names]
        return "&".join(
            name if value is None else f"{name}={value}" for name, value in (*self.pairs, *added)
        )

    def stream_key(self, *, pre_buffer: bool) -> tuple[str, str]:
        """Tell streams apart: two of the same device and effective options are one.

        The order of options does not make a stream another one, except among options of one name.
        """
        options = self.effective(pre_buffer=pre_buffer).split("&")
        return self.device, "&".join(sorted(options, key=lambda option: option.partition("=")[0]))

    def warnings(self, *, pre_buffer: bool) -> list[StreamWarning]:
        """Say what in the options will not work well, and why."""
        found = self._rate_control_warnings()
        if pre_buffer and self.wants_video:
            found += [*self._zipstream_warnings(), *self._memory_warnings()]
        return found

    def _rate_control_warnings(self) -> list[StreamWarning]:
        if self.get("videobitratemode") is not None:
            return []
        names = [name for name in _RATE_CONTROL if self.get(name) is not None]
        reason = "without videobitratemode a camera refuses the stream or ignores the option"
        return [StreamWarning(name, reason) for name in names[:1]]

    def _zipstream_warnings(self) -> list[StreamWarning]:
        found = []
        if self.get("videozgopmode") not in (None, "fixed"):
            found.append(
                StreamWarning(
                    "videozgopmode",
                    "with a dynamic GOP key frames may be a minute apart, so a recording begins "
                    "long before its pre-event time, or at the memory limit after it; use fixed",
                )
            )
        if self.get("videozfpsmode") not in (None, "fixed") and (
            self.get("videoframeskipmode") != "empty"
        ):
            found.append(
                StreamWarning(
                    "videozfpsmode",
                    "with a dynamic frame rate a quiet scene sends no pictures, so the pre-event "
                    "part may be empty; use fixed, or add videoframeskipmode=empty",
                )
            )
        if self.get("videozprofile") not in (None, "classic"):
            found.append(
                StreamWarning(
                    "videozprofile",
                    "only the classic profile keeps key frames at a fixed distance, which a "
                    "pre-event part needs",
                )
            )
        return found

    def _memory_warnings(self) -> list[StreamWarning]:
        name = "videokeyframeinterval"
        if self.get("videozgopmode") not in (None, "fixed") and self.get("videozmaxgoplength"):
            name = "videozmaxgoplength"
        pictures = _number(self.get(name))
        if pictures <= MANY_PICTURES:
            return []
        fps = _number(self.get("fps")) or int(DEFAULTS["fps"])
        kbit = _number(self.get("videomaxbitrate")) or ASSUMED_KBIT_PER_SECOND
        seconds = pictures / fps
        mebibytes = GROUPS_IN_MEMORY * seconds * kbit * 1000 / 8 / 2**20
        return [
            StreamWarning(
                name,
                f"{pictures} pictures in a group are {seconds:.1f} s at {fps} fps: the two whole "
                f"groups and the open one in memory take about {mebibytes:.0f} MiB at "
                f"{kbit / 1000:g} Mbit/s, and each lost picture spoils up to {seconds:.1f} s; "
                f"use {MANY_PICTURES} or fewer",
            )
        ]


def axis_url(host: str, port: int | None, query: str, *, scheme: str = "rtsp") -> str:
    """Return the URL of an Axis camera's stream.

    :param host: a name, or an IPv4 or IPv6 address, the latter without brackets.
    :param port: None where the default one is meant.
    :param query: what `StreamOptions.effective` returned.
    """
    bracketed = f"[{host}]" if ":" in host else host
    place = bracketed if port is None else f"{bracketed}:{port}"
    return f"{scheme}://{place}/axis-media/media.amp?{query}"


def _encode(text: str) -> str:
    """Percent-encode what may not stand in a query; ``%XX`` stays."""
    return quote(_BARE_PERCENT.sub("%25", text), safe=_QUERY_SAFE)


def _number(text: str | None) -> int:
    """Read a whole number out of an option; 0 for what is none, or is not plausible."""
    return int(text) if text and len(text) <= 6 and text.isascii() and text.isdecimal() else 0
