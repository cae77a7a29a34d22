"""Faults on command: what a virtual camera can do wrong, in one table.

A fault is raised by its name with parameters and stays until it is cleared, until its `seconds`
are over or until it has happened `count` times. Each fault is one line of `FAULTS`; where it takes
effect tells `axis_nvr.simulator.fault_path` for packets, `tracks` for pictures and clocks,
`event_faults` for events, `camera` for requests and connections.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from axis_nvr.errors import NvrError
from axis_nvr.session.server.dialogue import PUBLIC
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.simulator.bitstream import RESOLUTIONS
from axis_nvr.wire.rtsp import Request

Value: TypeAlias = str | float | bool

#: The longest that a fault may last or a packet be held, in seconds.
MAX_FAULT_SECONDS = 86400.0
#: How often a fault may be told to happen.
MAX_FAULT_COUNT = 1_000_000

TRACKS = ("video", "audio", "metadata")


class FaultError(NvrError):
    """There is no such fault, or it has no such parameter."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a fault.

    :param default: its value where it is not given; its type is that of the parameter.
    :param check: whether a value can be used.
    """

    default: Value
    description: str
    check: Callable[[Value], bool] = lambda value: True


def _between(low: float, high: float) -> Callable[[Value], bool]:
    return lambda value: isinstance(value, int | float) and low <= value <= high


def _one_of(*words: str) -> Callable[[Value], bool]:
    return lambda value: value in words


def _seconds(default: float, description: str) -> Parameter:
    return Parameter(default, description, _between(0, MAX_FAULT_SECONDS))


_LASTING = {
    "seconds": _seconds(0.0, "how long it lasts; 0: until cleared"),
    "count": Parameter(0.0, "how often it happens; 0: without end", _between(0, MAX_FAULT_COUNT)),
}
_TRACK = {"track": Parameter("", "video, audio or metadata; empty: all", _one_of("", *TRACKS))}


def _rate(default: float) -> dict[str, Parameter]:
    return {"rate": Parameter(default, "share of what it happens to, 0 to 1", _between(0, 1))}


def _words(text: Value) -> set[str]:
    return {word.strip().upper() for word in str(text).split(",")}


def _methods(default: str) -> dict[str, Parameter]:
    words = "requests it happens to, commas between; empty: all"
    return {"methods": Parameter(default, words, lambda value: _words(value) <= {"", *PUBLIC})}


_RESOLUTION_NAMES = tuple(f"{width}x{height}" for width, height in RESOLUTIONS)

#: What can go wrong, and how: name, what it does, parameters.
FAULTS: dict[str, tuple[str, dict[str, Parameter]]] = {
    "drop": (
        "Packets are lost.",
        {**_rate(0.05), **_TRACK, **_LASTING},
    ),
    "reorder": (
        "Packets arrive behind some that were sent after them.",
        {
            **_rate(0.05),
            "distance": Parameter(2.0, "packets that overtake one", _between(1, 100)),
            **_TRACK,
            **_LASTING,
        },
    ),
    "duplicate": (
        "Packets arrive twice.",
        {**_rate(0.05), **_TRACK, **_LASTING},
    ),
    "delay": (
        "Frames are sent late, in their order.",
        {
            "delay": _seconds(0.5, "how late, in seconds"),
            "jitter": _seconds(0.0, "at most this much more, at random, in seconds"),
            **_TRACK,
            **_LASTING,
        },
    ),
    "cut": (
        "A frame breaks off in the middle.",
        {
            "disconnect": Parameter(
                True, "true: within a packet, and the connection ends; false: the rest is lost"
            ),
            **_rate(1.0),
            "track": Parameter(
                "video", "video, audio or metadata; empty: all", _one_of("", *TRACKS)
            ),
            **_LASTING,
            "count": Parameter(
                1.0, "how often it happens; 0: without end", _between(0, MAX_FAULT_COUNT)
            ),
        },
    ),
    "change-parameter-sets": (
        "The video goes on in another resolution, announced in band only.",
        {
            "resolution": Parameter(
                "", "which; empty: the next smaller one", _one_of("", *_RESOLUTION_NAMES)
            ),
            "seconds": _LASTING["seconds"],
        },
    ),
    "jump-clock": (
        "A clock of the camera jumps; it jumps back when this is cleared.",
        {
            "by": Parameter(
                3600.0,
                "how far, in seconds; negative: back",
                _between(-MAX_FAULT_SECONDS, MAX_FAULT_SECONDS),
            ),
            "clock": Parameter(
                "ntp",
                "ntp: wall clock; rtp: media clock; both; frame: timestamps of single frames",
                _one_of("ntp", "rtp", "both", "frame"),
            ),
            **_LASTING,
        },
    ),
    "unauthorized": (
        "Requests are answered 401, whatever the password.",
        {**_methods(""), **_LASTING},
    ),
    "not-enough-bandwidth": (
        "Requests are answered 453.",
        {**_methods("SETUP"), **_LASTING},
    ),
    "unavailable": (
        "Requests are answered 503.",
        {**_methods("DESCRIBE,SETUP,PLAY"), **_LASTING},
    ),
    "stall": (
        "Nothing is sent any more; requests are still answered.",
        {**_TRACK, "seconds": _LASTING["seconds"]},
    ),
    "spoil-events": (
        "Documents of events are spoilt.",
        {
            "how": Parameter(
                "cut",
                "cut: it breaks off; xml: it is no XML; dtd: entities of entities; large: 4 MiB",
                _one_of("cut", "xml", "dtd", "large"),
            ),
            **_rate(1.0),
            **_LASTING,
        },
    ),
    "flood-events": (
        "Motion begins and ends all the time.",
        {
            "per_second": Parameter(1000.0, "changes that are told", _between(1, 100_000)),
            **_LASTING,
        },
    ),
    "no-initial-events": (
        "A client of the event stream is not told the states at its beginning.",
        _LASTING,
    ),
    "disconnect": (
        "All connections break at once.",
        {"refuse": _seconds(0.0, "how long new ones are closed at once, in seconds")},
    ),
}

#: Faults that answer requests, and how.
REFUSALS = {"unauthorized": 401, "not-enough-bandwidth": 453, "unavailable": 503}


@dataclass(slots=True)
class ActiveFault:
    """A fault that has been raised.

    :ivar until: when it is over, in seconds of the reactor.
    :ivar remaining: how often it may still happen.
    """

    name: str
    parameters: Mapping[str, Value]
    until: float = math.inf
    remaining: float = math.inf

    def number(self, name: str) -> float:
        """Return a parameter that is a number."""
        return float(self.parameters[name])

    def text(self, name: str) -> str:
        """Return a parameter that is a word."""
        return str(self.parameters[name])


@dataclass(slots=True)
class FaultBoard:
    """The faults of one camera.

    :param seconds: its clock.
    :param random: decides where a rate is given.
    :ivar raised: called with each fault that is raised; `cleared` with its name when it is over.
    """

    seconds: Callable[[], float]
    random: Random = field(default_factory=Random)
    active: dict[str, ActiveFault] = field(default_factory=dict)
    raised: Callable[[ActiveFault], None] = lambda fault: None
    #: How often each fault has happened since the start.
    totals: dict[str, int] = field(default_factory=dict)

    def raise_fault(self, name: str, parameters: Mapping[str, object] | None = None) -> ActiveFault:
        """Let a fault happen from now on; one of this name that is active is replaced.

        :raises FaultError: the fault or a parameter does not exist, or a value cannot be used.
        """
        if name not in FAULTS:
            raise FaultError(f"no fault {name[:40]!r}; there are {', '.join(FAULTS)}")
        values = _checked(name, parameters or {})
        fault = ActiveFault(name, values)
        if values.get("seconds"):
            fault.until = self.seconds() + float(values["seconds"])
        if values.get("count"):
            fault.remaining = float(values["count"])
        self.active[name] = fault
        self.raised(fault)
        return fault

    def clear(self, name: str) -> None:
        """End a fault; one that is not active is no error.

        :raises FaultError: there is none of this name.
        """
        if name not in FAULTS:
            raise FaultError(f"no fault {name[:40]!r}; there are {', '.join(FAULTS)}")
        self.active.pop(name, None)

    def clear_all(self) -> None:
        """End all faults."""
        self.active.clear()

    def current(self, name: str, track: str = "") -> ActiveFault | None:
        """Return a fault if it is active for a track, whether or not it happens now."""
        fault = self.active.get(name)
        if fault is None:
            return None
        if fault.until <= self.seconds() or fault.remaining <= 0:
            del self.active[name]
            return None
        wanted = fault.parameters.get("track", "")
        return fault if not wanted or not track or wanted == track else None

    def happens(self, name: str, track: str = "") -> ActiveFault | None:
        """Let chance decide whether a fault happens now, and count it if it does."""
        fault = self.current(name, track)
        if fault is None or self.random.random() >= float(fault.parameters.get("rate", 1.0)):
            return None
        fault.remaining -= 1
        self.totals[name] = self.totals.get(name, 0) + 1
        return fault

    def refuse(self, request: Request, challenge: Callable[[], RequestRefused]) -> None:
        """Refuse a request if a fault says so.

        :param challenge: makes the 401.
        :raises RequestRefused: one does.
        """
        for name, status in REFUSALS.items():
            fault = self.current(name)
            if fault is None:
                continue
            methods = _words(fault.text("methods"))
            spared = request.method == "OPTIONS" and status == 401
            if (methods != {""} and request.method not in methods) or spared:
                continue
            self.happens(name)
            raise challenge() if status == 401 else RequestRefused(status)


def _checked(name: str, given: Mapping[str, object]) -> dict[str, Value]:
    """Fill defaults in and check what is given.

    :raises FaultError: it cannot be used.
    """
    known = FAULTS[name][1]
    unknown = [key for key in given if key not in known]
    if unknown:
        raise FaultError(
            f"{name} has no parameter {unknown[0][:40]!r}; it has {', '.join(known) or 'none'}"
        )
    values: dict[str, Value] = {}
    for key, parameter in known.items():
        value = told = given.get(key, parameter.default)
        if isinstance(parameter.default, float) and isinstance(value, int | float):
            value = value if isinstance(value, bool) else float(value)
        if type(value) is not type(parameter.default) or not parameter.check(value):
            raise FaultError(
                f"{name}: {key} cannot be {str(told)[:40]!r} ({parameter.description})"
            )
        values[key] = value
    return values
