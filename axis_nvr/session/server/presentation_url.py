"""The URLs of a presentation and of its tracks, as Axis devices write them and clients bend them.

::

    presentation   rtsp://<host>/axis-media/media.amp?<args>
    track          rtsp://<host>/axis-media/media.amp/stream=<n>?<args>
    old            rtsp://<host>/axis-media/media.amp/trackID=<n>?<args>
    moved          rtsp://<host>/axis-media/media.amp?<args>/stream=<n>
    based          rtsp://<host>/axis-media/media.amp/?<args>
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from axis_nvr.errors import WireError
from axis_nvr.wire.rtsp import redacted

#: Characters of a URL that is looked at.
MAX_URL_CHARACTERS = 4096
#: Arguments of one URL; a client of Axis cameras knows about sixty.
MAX_URL_ARGUMENTS = 200

_TRACK = re.compile(r"/(?:stream|trackID)=([0-9]{1,3})/?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PresentationUrl:
    """A URL taken apart.

    :param scheme: ``rtsp`` or ``rtsps``.
    :param host: with the port where one was given, without user information.
    :param path: as it came, without the track and without a slash at the end.
    :param query: as it came, without the track.
    :param track: the track that was named, None for the whole presentation.
    """

    scheme: str
    host: str
    path: str
    query: str
    track: int | None = None

    @property
    def url(self) -> str:
        """The URL of the presentation: what PLAY names."""
        return f"{self._base}{self._question}"

    @property
    def place(self) -> str:
        """The path, decoded: what tells which presentation is meant."""
        return unquote(self.path)

    @property
    def content_base(self) -> str:
        """What ``Content-Base`` says: without the query."""
        return f"{self._base}/"

    def track_url(self, track: int) -> str:
        """Return the control URL of a track, the query kept."""
        return f"{self._base}/stream={track}{self._question}"

    @property
    def arguments(self) -> dict[str, str]:
        """The arguments of the query, decoded, names in lower case; the last of a name counts."""
        found: dict[str, str] = {}
        for part in self.query.split("&", MAX_URL_ARGUMENTS)[:MAX_URL_ARGUMENTS]:
            name, _, value = part.partition("=")
            if name:
                found[unquote(name).lower()] = unquote(value.replace("+", "%20"))
        return found

    @property
    def _base(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"

    @property
    def _question(self) -> str:
        return f"?{self.query}" if self.query else ""


def parse_url(url: str) -> PresentationUrl:
    """Take the URL of a request apart.

    :raises WireError: no absolute RTSP URL.
    """
    try:
        parts = urlsplit(url[: MAX_URL_CHARACTERS + 1])
    except ValueError:
        parts = urlsplit("")
    host = parts.netloc.rpartition("@")[2]
    if len(url) > MAX_URL_CHARACTERS or parts.scheme not in ("rtsp", "rtspu", "rtsps") or not host:
        raise WireError(f"no RTSP URL: {redacted(url[:80])!r}", source="RFC 2326 §3.2")
    path, query = parts.path, parts.query
    track = None
    if found := _TRACK.search(query):
        query, track = query[: found.start()], int(found[1])
    elif found := _TRACK.search(path):
        path, track = path[: found.start()], int(found[1])
    return PresentationUrl(parts.scheme, host, path.rstrip("/"), query.rstrip("/"), track)
