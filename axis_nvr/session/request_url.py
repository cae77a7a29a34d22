"""URLs of requests: made fit to send, changed for a retry, and followed when redirected.

A redirect is followed to another path, port or host, but never from TLS to plain text; and who is
another host gets no credentials, since a camera could otherwise be made to hand them to anyone.
"""

import re
from urllib.parse import quote, unquote

from axis_nvr.errors import WireError
from axis_nvr.session.digest import Credentials
from axis_nvr.wire.rtsp import redacted

#: Characters of a URL that a server may send us to.
MAX_LOCATION_CHARACTERS = 4096
#: Characters that stay as they are: those of RFC 3986 §2.2 and §2.3, and the percent sign.
_SAFE = "%:/?#[]@!$&'()*+,;=-._~|{}\"<>^`\\"
_URL = re.compile(
    r"(rtspu?|rtsps)://(?:([^/?#@]*)@)?(\[[0-9a-z:.%]+\]|[a-z0-9._~%-]+)(:[0-9]*)?([/?].*)?",
    re.IGNORECASE | re.DOTALL,
)


def split_credentials(url: str) -> tuple[str, Credentials | None]:
    """Take user and password out of a URL, and bring the rest into a form that may be sent.

    :returns: the URL without them, and what they were.
    :raises WireError: no RTSP URL; its words hold no password.
    """
    found = _URL.fullmatch(url.strip())
    if found is None:
        raise WireError(f"no RTSP URL: {redacted(url)[:80]!r}", source="RFC 2326 §3.2")
    scheme, userinfo, host, port, rest = found.groups("")
    credentials = None
    if userinfo:
        username, _, password = userinfo.partition(":")
        credentials = Credentials(unquote(username), unquote(password))
    path = sendable(rest.partition("#")[0])
    return f"{scheme.lower()}://{host}{'' if port == ':' else port}{path}", credentials


def sendable(url: str) -> str:
    """Escape what may not stand in a request line, and nothing else: cameras compare as text."""
    return quote(url, safe=_SAFE)


def host_of(url: str) -> str:
    """Return the host of a URL, without port, in lower case; empty if it is no RTSP URL."""
    found = _URL.fullmatch(url)
    return found[3].lower() if found else ""


def with_argument(url: str, argument: str) -> str:
    """Append one argument to the query of a URL."""
    return f"{url}{'&' if '?' in url else '?'}{argument}"


def redirect_target(url: str, location: str, status: int) -> str:
    """Return the URL that a redirect leads to.

    With 305 (Use Proxy) the location is a proxy: its host and port are gone to, and asked for the
    path that was wanted. Credentials within a location are dropped: they are not ours.

    :param url: what was asked for.
    :param location: the Location header.
    :raises WireError: nowhere to go, or from TLS to plain text.

    Source: RFC 2326 §11.3 (as RFC 2068 §10.3).
    """
    found = _URL.fullmatch(url)
    here = found.groups("") if found else ("rtsp", "", "", "", "")
    location = location.strip()
    if location.startswith("/") and not location.startswith("//"):
        location = f"{here[0]}://{here[2]}{here[3]}{location}"
    if len(location) > MAX_LOCATION_CHARACTERS:
        raise WireError("redirected to a URL without end", source="RFC 2326 §12.25")
    target, _ = split_credentials(location)
    if here[0].lower() == "rtsps" and not target.startswith("rtsps:"):
        raise WireError("redirected from TLS to plain text, which is not followed")
    if status == 305 and (proxy := _URL.fullmatch(target)):
        return "{0}://{2}{3}".format(*proxy.groups("")) + here[4]
    return target
