"""Values of action parameters: text that a client gave, read and refused by name.

A refusal names the parameter, never the value: it may be a secret, or belong beside one.
"""

import re

from twisted.internet.abstract import isIPv6Address

from axis_nvr.services.rules.errors import InvalidActionConfiguration

#: The longest pre- or post-trigger time, in milliseconds: an hour.
MAX_DURATION_MS = 3_600_000

_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}", re.ASCII)
#: What separates lines or ends texts in a protocol made of lines.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


def number(name: str, text: str, least: int, most: int, default: int) -> int:
    """Read a whole number.

    :param default: for an empty text.
    :raises InvalidActionConfiguration: no number from `least` to `most`.
    """
    text = text.strip()
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and least <= int(text) <= most):
        raise InvalidActionConfiguration(
            f"{name} must be a number from {least} to {most}, or empty"
        )
    return int(text)


def duration_ms(name: str, text: str) -> int:
    """Read a duration in milliseconds; empty is none.

    :raises InvalidActionConfiguration: no such number, or longer than `MAX_DURATION_MS`.
    """
    return number(name, text, 0, MAX_DURATION_MS, 0)


def port(name: str, text: str, default: int) -> int:
    """Read a port.

    :param default: for an empty text; 0: it must be given.
    :raises InvalidActionConfiguration: no port.
    """
    found = number(name, text, 1, 65535, default)
    if not found:
        raise InvalidActionConfiguration(f"{name} must be a port")
    return found


def code_point(name: str, text: str) -> int:
    """Read a Differentiated Services code point (RFC 2474); empty is 0."""
    return number(name, text, 0, 63, 0)


def flag(name: str, text: str) -> bool:
    """Read ``0`` or ``1``; empty is 0.

    :raises InvalidActionConfiguration: something else.
    """
    if text.strip() not in ("", "0", "1"):
        raise InvalidActionConfiguration(f"{name} must be 0 or 1")
    return text.strip() == "1"


def host(name: str, text: str) -> str:
    """Read a host name or an IP address; brackets around one of version 6 are taken off.

    :raises InvalidActionConfiguration: it can be none.
    """
    text = text.strip()
    bare = text.removeprefix("[").removesuffix("]")
    try:
        text.encode("idna")
        is_host = isIPv6Address(bare) if ":" in text else _HOST.fullmatch(text) is not None
    except UnicodeError:  # an empty part, or one that is too long
        is_host = False
    if not is_host:
        raise InvalidActionConfiguration(f"{name} must be a host name or an IP address")
    return bare


def line(name: str, text: str) -> str:
    """Take a text that ends up in one line of a protocol.

    :raises InvalidActionConfiguration: it has line breaks or other control characters.
    """
    if _CONTROLS.search(text):
        raise InvalidActionConfiguration(f"{name} must not have line breaks or control characters")
    return text


def without_controls(text: str) -> str:
    """Make one line of a text that was put together: control characters become spaces."""
    return _CONTROLS.sub(" ", text)
