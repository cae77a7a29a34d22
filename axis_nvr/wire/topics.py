"""Event topics, and filters of them.

A topic is a path of names. The first level has the prefix of its name space, a lower one only where
the name space changes::

    tns1:Device/tnsaxis:IO/Port            as in notifications
    onvif:Device/axis:IO/axis:Port         the same, as in the arguments of a URL

A filter is a list of topics; the suffix ``//.`` takes in everything below::

    tnsaxis:CameraApplicationPlatform//.|tns1:Device/tnsaxis:IO/Port

Devices are not of one mind about the prefixes of lower levels: levels are compared one by one, and
from the second on without their prefixes.

Source: WS-Topics 1.3 §7; ONVIF Core Specification §9.6.3 (ConcreteSet).
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from axis_nvr.errors import WireError

#: Characters of one topic.
MAX_TOPIC_CHARACTERS = 512
MAX_LEVELS = 32
#: Characters of one filter.
MAX_FILTER_CHARACTERS = 8192
#: Topics of one filter.
MAX_ALTERNATIVES = 128
#: Topics that are remembered once read; a recorder meets a few hundred.
_REMEMBERED = 2048

#: The prefixes of URLs, and those of notifications.
PREFIXES = {"onvif": "tns1", "axis": "tnsaxis"}
#: The name spaces, and the prefixes of notifications.
NAMESPACES = {
    "http://www.onvif.org/ver10/topics": "tns1",
    "http://www.axis.com/2009/event/topics": "tnsaxis",
}

#: One level: ``[prefix:]name``, both an ``NCName``.
_LEVEL = re.compile(r"(?:([^\W\d][\w.-]*):)?([^\W\d][\w.-]*)")
_SOURCE = "WS-Topics 1.3 §7"


@lru_cache(_REMEMBERED)
def normalized(topic: str) -> str:
    """Write a topic as notifications do.

    :param topic: with the prefixes of URLs or of notifications, on any of its levels; empty levels
        are passed over.
    :raises WireError: it is no topic, or beyond the limits.
    """
    written, space = [], ""
    for prefix, name in _levels(topic):
        written.append(name if prefix in ("", space) else f"{prefix}:{name}")
        space = prefix or space
    return "/".join(written)


@lru_cache(_REMEMBERED)
def _compared(topic: str) -> tuple[str, ...]:
    """Its levels as they are compared: the first with its prefix, the others without."""
    (prefix, first), *below = _levels(topic)
    return (f"{prefix}:{first}", *(name for _, name in below))


def _levels(topic: str) -> list[tuple[str, str]]:
    """Take a topic apart: prefix ("" for none) and name of each level."""
    if len(topic) > MAX_TOPIC_CHARACTERS:
        raise WireError(f"a topic of {len(topic)} characters", source=_SOURCE)
    levels = []
    for text in filter(None, topic.strip().split("/")):
        if not (match := _LEVEL.fullmatch(text)):
            raise WireError(f"{text[:40]!a} is no level of a topic", source=_SOURCE)
        prefix = match[1] or ""
        levels.append((PREFIXES.get(prefix, prefix), match[2]))
    if not 0 < len(levels) <= MAX_LEVELS:
        raise WireError(f"a topic of {len(levels)} levels", source=_SOURCE)
    return levels


@dataclass(frozen=True, slots=True)
class TopicFilter:
    """Which topics somebody wants; made by `parse`.

    :param text: as it was written.
    """

    text: str
    #: Topics wanted exactly, and those with all below; a prefix of no level is above everything.
    _exact: frozenset[tuple[str, ...]] = field(repr=False, compare=False)
    _subtrees: tuple[tuple[str, ...], ...] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, separators: str = "|,") -> "TopicFilter":
        """Read a filter.

        :param text: ``""`` and ``//.`` are all topics. The last dot of the suffix may lack.
        :param separators: the characters between topics; ``""`` for a single one.
        :raises WireError: it is none, or beyond the limits.
        """
        if len(text) > MAX_FILTER_CHARACTERS:
            raise WireError(f"a topic filter of {len(text)} characters", source=_SOURCE)
        parts = re.split(f"[{re.escape(separators)}]", text) if separators else [text]
        wanted = [part.strip() for part in parts if part.strip()]
        if len(wanted) > MAX_ALTERNATIVES:
            raise WireError(f"a topic filter of {len(wanted)} topics", source=_SOURCE)
        exact: set[tuple[str, ...]] = set()
        subtrees: list[tuple[str, ...]] = [] if wanted else [()]
        for part in wanted:
            top = part.removesuffix(".") if part.endswith("//.") else part
            if not top.endswith("//"):
                exact.add(_compared(top))
            else:
                subtrees.append(_compared(top) if top.strip("/") else ())
        return cls(text, frozenset(exact), tuple(subtrees))

    def matches(self, topic: str) -> bool:
        """Tell whether a topic is wanted.

        :param topic: of a notification or a declaration.
        :raises WireError: it is no topic.
        """
        levels = _compared(topic)
        return levels in self._exact or any(
            levels[: len(above)] == above for above in self._subtrees
        )
