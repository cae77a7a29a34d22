"""The URLs that SETUP and PLAY go to, from what DESCRIBE answered (RFC 2326 §C.1.1).

The base is ``Content-Base``, else ``Content-Location``, else the URL of the request; the
``a=control`` attributes are relative to it. So says the RFC. Cameras leave the scheme away, write
it twice, put IPv6 addresses without brackets, forget the slash at the end or put it behind the
query; and what they then expect is mostly that the two are strung together. So this is what is
done, and RFC 3986 §5 is left alone.
"""

import re
from urllib.parse import urljoin, urlsplit

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_RTSP_TWICE = re.compile(r"(?:rtsp[su]?://)+(?=rtsp[su]?://)", re.IGNORECASE)
_AUTHORITY = re.compile(
    r"(?:[^@/]*@)?(?:\[[0-9a-f:.]+(?:%[^]]*)?\]|[^:@/\[\]\s]+)(?::[0-9]{1,5})?", re.IGNORECASE
)
_HOST_AND_REST = re.compile(r"(?:[^:/?@]+:[0-9]{1,5}|[0-9]+(?:\.[0-9]+){3})(?:[/?]|$)")


def base_url(request_url: str, content_base: str | None, content_location: str | None) -> str:
    """Tell what the control attributes are relative to.

    :param request_url: absolute, as sent in DESCRIBE (after redirects).
    :param content_base: the header's value, None without.
    :param content_location: the header's value, None without.
    :returns: an absolute URL; `request_url` where neither header can be made one.

    Source: RFC 2326 §C.1.1.
    """
    for value in (content_base, content_location):
        if value and value.strip():
            return _repair(value.strip(), request_url)
    return request_url


def control_url(base: str, control: str | None) -> str:
    """Join a control attribute to the base.

    :param base: absolute, from `base_url`.
    :param control: the attribute's value; None or empty without.
    :returns: an absolute URL.

    Source: RFC 2326 §C.1.1.
    """
    control = (control or "").strip()
    if control in ("", "*"):
        return base
    if _SCHEME.match(control):
        return _repair(control, base)
    if control.startswith("?"):
        return base + control
    if control.startswith("/") and _is_whole_path(base, control):
        return _root(base) + control
    # Where the base has a query the control goes behind it: ``…/media.amp?fps=25/trackID=1`` is
    # what every player sends, and what Axis and Dahua (``…?channel=1&subtype=0/``) understand.
    return base.rstrip("/") + "/" + control.lstrip("/")


def _repair(url: str, known: str) -> str:
    """Make an absolute URL of what a camera wrote.

    :param known: an absolute URL that works, of the same camera.
    """
    url = _RTSP_TWICE.sub("", url)  # Content-Base: rtsp://rtsp://turret2-cam.lan:554/stream1/
    scheme = _SCHEME.match(known)
    prefix = scheme[0] if scheme else "rtsp://"
    if found := _SCHEME.match(url):
        authority, slash, path = url[found.end() :].partition("/")
        if _AUTHORITY.fullmatch(authority):
            return url
        # rtsp://::ffff:192.168.1.123/onvif/profile.1/: the address we are connected to is better
        return _root(known) + slash + path
    if url.startswith("//"):
        return _repair(prefix + url[2:], known)
    if url.startswith("/"):
        return _root(known) + url
    if _HOST_AND_REST.match(url):  # SV3C, Android apps: Content-Base: 192.168.1.10:554/stream0/
        return prefix + url
    try:
        joined = urljoin(known, url)
    except ValueError:
        return known
    return joined if _SCHEME.match(joined) else known


def _is_whole_path(base: str, control: str) -> bool:
    """Whether a control with a slash in front is a path from the root, as RFC 3986 would have it.

    ``/trackID=1`` is not, whatever the RFC says: it goes behind the base. Verint's
    ``/media/1/video/1`` is.
    """
    try:
        path = urlsplit(base).path.rstrip("/")
    except ValueError:
        return False
    return bool(path and control.startswith(path)) or control.count("/") > 1


def _root(url: str) -> str:
    """Scheme and authority of an absolute URL."""
    found = _SCHEME.match(url)
    start = found.end() if found else 0
    return url[:start] + re.split(r"[/?]", url[start:], maxsplit=1)[0]
