"""Digest authentication as a server: nonces, challenges, and what is accepted for an answer.

Source: RFC 7616 §3.3, §3.4, §5.12.
"""

import hmac
from collections.abc import Callable
from enum import StrEnum

from axis_nvr.errors import WireError
from axis_nvr.session.digest import verify
from axis_nvr.wire.authentication import (
    build_digest_challenge,
    decode_text,
    parse_authorization,
)

#: Hexadecimal digits of the time in a nonce.
_NONCE_TIME_DIGITS = 12


def uri_matches(answered: str, requested: str, presentation: str = "") -> bool:
    """Whether the ``uri`` of a Digest answer names what the request asks for.

    Accepted are the request's own URI, absolute or from the path on (gortsplib issue 1118), with
    its query or without, and the presentation URI of the same session: Home Assistant names that
    for SETUP and PLAY too. Slashes at the end do not count.

    :param presentation: the URI that was described in this session, if any.
    """
    target = _path(answered)
    accepted = {_path(requested), _path(requested).partition("?")[0].rstrip("/")}
    if presentation:
        accepted |= {_path(presentation), _path(presentation).partition("?")[0].rstrip("/")}
    return target in accepted


def _path(uri: str) -> str:
    """Return a URI from its path on, without slashes at the end."""
    scheme, separator, rest = uri.partition("://")
    if separator and "/" not in scheme:
        authority = min((i for i in map(rest.find, "/?") if i >= 0), default=len(rest))
        uri = rest[authority:]
    return uri.rstrip("/")


class Verdict(StrEnum):
    """What came of checking a request."""

    ACCEPTED = "accepted"
    MISSING = "no credentials"
    STALE = "nonce too old"
    WRONG = "wrong credentials"


class Challenger:
    """The server's side of Digest: makes nonces that need no memory, and checks the answers.

    A nonce is a time and a keyed hash of it. An old one is answered with ``stale=TRUE``, so that
    the client tries again without asking anybody.

    :param realm: such as ``AXIS_ACCC8E012345``.
    :param key: at least 16 random bytes; whoever has it can make nonces.
    :param lifetime_seconds: how long a nonce is good for.
    :param algorithm: asked for; left out of the challenge when it is MD5 and there is no qop,
        which is how Axis cameras challenge over RTSP.
    :param qop: ``auth`` as Axis devices have it over HTTP; empty as over RTSP.
    """

    def __init__(
        self,
        realm: str,
        key: bytes,
        *,
        lifetime_seconds: float = 300,
        algorithm: str = "MD5",
        qop: str = "",
    ) -> None:
        self.realm = realm
        self._key = key
        self._lifetime_seconds = lifetime_seconds
        self._algorithm = algorithm
        self._qop = qop

    def challenge(self, now: float, stale: bool = False) -> str:
        """Return the value of a ``WWW-Authenticate`` header with a new nonce."""
        said: bool | None = stale
        if self._qop and not stale:
            said = None  # over HTTP it stands there only when it is true
        algorithm = self._algorithm if self._qop or self._algorithm != "MD5" else ""
        return build_digest_challenge(
            self.realm, self._nonce(int(now * 1000)), stale=said, algorithm=algorithm, qop=self._qop
        )

    def _nonce(self, time_ms: int) -> str:
        """Return the nonce of a moment."""
        moment = f"{time_ms:0{_NONCE_TIME_DIGITS}x}"
        return moment + hmac.new(self._key, moment.encode(), "sha256").hexdigest()[:32]

    def _nonce_age(self, nonce: str, now: float) -> float | None:
        """Return the age of a nonce in seconds, None if it is not one of ours."""
        try:
            time_ms = int(nonce[:_NONCE_TIME_DIGITS], 16)
        except ValueError:
            return None
        if time_ms < 0 or not hmac.compare_digest(self._nonce(time_ms).encode(), nonce.encode()):
            return None
        return now - time_ms / 1000

    def check(
        self,
        header: str | bytes | None,
        method: str,
        uri: str,
        now: float,
        secret_of: Callable[[str], str | None],
        *,
        presentation: str = "",
        body: bytes = b"",
    ) -> tuple[Verdict, str]:
        """Check the ``Authorization`` header of a request.

        :param header: None or empty if there is none.
        :param uri: of the request line.
        :param secret_of: gives the `secret_hash` of a user name, None for an unknown user.
        :param presentation: the URI of the session, see `uri_matches`.
        :returns: the verdict, and the user name that was claimed (not proved, unless accepted).
        """
        if not header:
            return Verdict.MISSING, ""
        try:
            answer = parse_authorization(header)
        except WireError:
            return Verdict.WRONG, ""
        if answer.scheme != "digest":
            return Verdict.WRONG, answer.username
        username = decode_text(answer.get("username").encode("latin-1", "replace"))
        secret = secret_of(username)
        # An unknown user costs as much time as a known one.
        known = verify(answer, method, secret or "-", self._algorithm, body) and secret is not None
        age = self._nonce_age(answer.get("nonce"), now)
        if (
            not known
            or answer.get("realm") != self.realm
            or (answer.get("qop") and not self._qop)
            or not uri_matches(answer.get("uri"), uri, presentation)
        ):
            return Verdict.WRONG, username
        # A clock may be set back a little. A nonce of before our last start is not ours any more.
        if age is None or not -1 <= age <= self._lifetime_seconds:
            return Verdict.STALE, username
        return Verdict.ACCEPTED, username
