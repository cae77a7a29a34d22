"""Addresses to listen at, as Twisted describes them; what cannot be used is one sentence.

Twisted's parsers raise whatever their Python happens to raise, in words that are for programmers.
"""

import re
from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint

from axis_nvr.errors import ConfigError

MAX_PORT = 65_535
#: Kinds of endpoints that have a port.
_WITH_PORT = ("tcp", "tcp6", "ssl")
_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")


class CannotListen(ConfigError):
    """An address that was configured cannot be listened at."""


def make_endpoint(reactor: Any, key: str, description: str) -> IStreamServerEndpoint:
    """Make an endpoint out of its description.

    :param key: the configuration key or option, for messages.
    :raises ConfigError: it cannot be understood, or names a file that cannot be used.
    """
    problem = _port_problem(description)
    if not problem:
        try:
            endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
        except Exception as error:  # parsers of endpoints raise whatever they like
            problem = _words(error)
        else:
            return endpoint
    raise ConfigError(f"{key}: {description!r} is no endpoint: {problem}")


def cannot_listen(key: str, problem: BaseException | None) -> CannotListen:
    """Say why an endpoint cannot listen.

    :param problem: what came of its ``listen``.
    """
    reason = getattr(problem, "socketError", None) or problem
    words = getattr(reason, "strerror", None) or str(reason)
    place = ""
    if isinstance(problem, CannotListenError):
        host = f"{problem.interface}, " if problem.interface else ""
        place = f" at {host}port {problem.port}"
    return CannotListen(f"{key}: cannot listen{place}: {words}")


def _port_problem(description: str) -> str:
    kind, _, rest = description.partition(":")
    if kind not in _WITH_PORT:
        return ""
    parts = rest.split(":")
    named = [part for part in parts if part.startswith("port=")]
    port = (named or parts)[0].removeprefix("port=")
    is_port = port.isascii() and port.isdigit() and int(port) <= MAX_PORT
    return "" if is_port else f"a port is a number up to {MAX_PORT}, not {port!r}"


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename} cannot be read: {error.strerror}"
    if isinstance(error, SSL.Error | crypto.Error):
        return "its files hold no private key with its certificate, as PEM"
    if text.startswith("Unknown endpoint type"):
        return "it must begin with tcp:, ssl: or another kind that Twisted has"
    if isinstance(error, TypeError):
        unexpected = _UNEXPECTED.search(text)
        return f"{unexpected[1]}= is no part of it" if unexpected else "it has a part too many"
    return text or type(error).__name__
