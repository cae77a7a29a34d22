"""Digest and Basic authentication as a client, for RTSP and HTTP, and what both ends compute.

A server's 401 brings challenges; the client answers the best it knows, and from then on sends an
answer with each request. What goes into a Digest answer::

    A1 = username ":" realm ":" password          -sess: H(A1) ":" nonce ":" cnonce
    A2 = method ":" uri                           auth-int: … ":" H(body)
    response = H( H(A1) ":" nonce ":" nc ":" cnonce ":" qop ":" H(A2) )     with qop
    response = H( H(A1) ":" nonce ":" H(A2) )                               without (RFC 2069)

Cameras of Axis challenge without ``qop`` and without ``algorithm`` over RTSP, with both over HTTP.

Source: RFC 7616 §3.4, RFC 2069 §2.1.2, RFC 7617.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from axis_nvr.wire.authentication import (
    Authorization,
    Challenge,
    build_basic,
    build_digest_authorization,
    encode_text,
    parse_challenges,
)

#: Hash functions by the names of RFC 7616 §6.1, the best first.
ALGORITHMS = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and its password, which is never shown."""

    username: str
    password: str = field(repr=False)


def _hash(algorithm: str, *parts: str) -> str:
    """Hash parts with colons between them; text is Latin-1, one character for a byte."""
    name = ALGORITHMS[algorithm.upper().removesuffix("-SESS")]
    data = ":".join(parts).encode("latin-1", "replace")
    return hashlib.new(name, data, usedforsecurity=False).hexdigest()


def knows_algorithm(algorithm: str) -> bool:
    """Whether a challenge's ``algorithm`` is one of ours; empty means MD5."""
    name = ALGORITHMS.get(algorithm.upper().removesuffix("-SESS") or "MD5")
    return name in hashlib.algorithms_available


def secret_hash(credentials: Credentials, realm: str, algorithm: str = "MD5") -> str:
    """Return H(A1) of the plain algorithms: what a server may store in place of a password.

    :param realm: as it stands in the header: one character for a byte.
    """
    username, password = encode_text(credentials.username), encode_text(credentials.password)
    return _hash(algorithm, username, realm, password)


def digest_response(
    secret: str, method: str, uri: str, parameters: Authorization, body: bytes = b""
) -> str:
    """Return the ``response`` that proves knowledge of a password.

    :param secret: as `secret_hash` gives it, for the same realm and algorithm.
    :param uri: as the ``uri`` parameter names it.
    :param parameters: nonce, and if present algorithm, qop, nc and cnonce.
    :param body: counts for ``auth-int`` only.
    """
    algorithm = parameters.get("algorithm") or "MD5"
    nonce, cnonce, qop = (parameters.get(name) for name in ("nonce", "cnonce", "qop"))
    if algorithm.upper().endswith("-SESS"):
        secret = _hash(algorithm, secret, nonce, cnonce)
    if qop.lower() == "auth-int":
        a2 = _hash(algorithm, method, uri, _hash(algorithm, body.decode("latin-1")))
    else:
        a2 = _hash(algorithm, method, uri)
    if qop:
        return _hash(algorithm, secret, nonce, parameters.get("nc"), cnonce, qop, a2)
    return _hash(algorithm, secret, nonce, a2)


class Failure(StrEnum):
    """Why a 401 is not answered with another try."""

    NO_CREDENTIALS = "no credentials"
    WRONG_CREDENTIALS = "wrong credentials"
    UNKNOWN_SCHEME = "no scheme in common"
    NEVER_SATISFIED = "every nonce is said to be stale"


class Authenticator:
    """The client's side: remembers the last challenge and answers it for each request.

    Of what a server offers the best is answered: Digest with SHA-512-256, SHA-256, MD5, then Basic.
    A server that wants a second answer to the same request, without saying ``stale`` and in the
    same realm, has refused the credentials: they are not tried again, since cameras lock out who
    guesses.

    :param credentials: None: no challenge can be answered.
    :param make_cnonce: gives text that nobody guesses, for challenges with ``qop``.
    """

    def __init__(
        self,
        credentials: Credentials | None,
        make_cnonce: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._credentials = credentials
        self._make_cnonce = make_cnonce
        self._challenge: Challenge | None = None
        self._nonce_count = 0
        #: Why the last `challenge` was not answered.
        self.failure: Failure | None = None

    def __repr__(self) -> str:
        scheme = self._challenge.scheme if self._challenge else None
        return f"Authenticator({self._credentials!r}, scheme={scheme!r})"

    def challenge(self, values: Iterable[str | bytes], answered: bool = False) -> bool:
        """Take the ``WWW-Authenticate`` headers of a 401.

        :param values: the headers, in order.
        :param answered: whether the request had already been sent again, with an answer to the
            challenge before this one: only that shows that credentials are wrong. A nonce that
            has grown old between two requests does not (quirk 5: Axis M5525 changes it after
            150 s, and says ``stale=FALSE``).
        :returns: whether the request should be sent again; if not, `failure` says why.
        """
        before = self._challenge
        best = best_challenge(parse_challenges(values))
        if best is None:
            self.failure = Failure.UNKNOWN_SCHEME
        elif self._credentials is None:
            self.failure = Failure.NO_CREDENTIALS
        elif answered and before and _same_space(before, best) and not best.stale:
            self.failure = Failure.WRONG_CREDENTIALS
        else:
            self.failure = None
            if before is None or before.get("nonce") != best.get("nonce"):
                self._nonce_count = 0
            self._challenge = best
        return self.failure is None

    def next_nonce(self, authentication_info: str) -> None:
        """Take an ``Authentication-Info`` header: it may bring the nonce for the next request.

        Source: RFC 7616 §3.5.
        """
        found = parse_challenges([f"Digest {authentication_info}"])
        nonce = found[0].get("nextnonce") if found else ""
        if nonce and self._challenge is not None and self._challenge.scheme == "digest":
            self._challenge = Challenge("digest", {**self._challenge.parameters, "nonce": nonce})
            self._nonce_count = 0

    def authorization(self, method: str, uri: str, body: bytes = b"") -> str | None:
        """Return the ``Authorization`` header for a request, None before any challenge.

        :param uri: as in the request line.
        :param body: counts when the server insists on ``auth-int``.
        :raises LocalProtocolError: a user name with a colon, and only Basic offered.
        """
        if self._challenge is None or self._credentials is None:
            return None
        if self._challenge.scheme == "basic":
            return build_basic(self._credentials.username, self._credentials.password)
        return self._digest(self._challenge, self._credentials, method, uri, body)

    def _digest(
        self, challenge: Challenge, credentials: Credentials, method: str, uri: str, body: bytes
    ) -> str:
        """Answer a Digest challenge."""
        algorithm, realm = challenge.get("algorithm"), challenge.get("realm")
        parameters = {
            "username": encode_text(credentials.username),
            "realm": realm,
            "nonce": challenge.get("nonce"),
            "uri": encode_text(uri),
            "response": "",
        }
        if algorithm:
            parameters["algorithm"] = algorithm
        if "opaque" in challenge.parameters:
            parameters["opaque"] = challenge.get("opaque")
        qop = _chosen_qop(challenge)
        if qop or algorithm.upper().endswith("-SESS"):
            parameters["cnonce"] = self._make_cnonce()
        if qop:
            self._nonce_count += 1
            parameters |= {"qop": qop, "nc": f"{self._nonce_count:08x}"}
        secret = secret_hash(credentials, realm, algorithm or "MD5")
        answer = Authorization("digest", parameters)
        parameters["response"] = digest_response(secret, method, parameters["uri"], answer, body)
        return build_digest_authorization(parameters.items())


def best_challenge(challenges: Iterable[Challenge]) -> Challenge | None:
    """Return the best challenge that can be answered, the first among equals.

    Servers offer Basic before Digest, or Digest with MD5 before SHA-256, in one header or several;
    a Digest challenge without a realm is answered with an empty one.
    """
    ranked = [(_rank(challenge), challenge) for challenge in challenges]
    known = [item for item in ranked if item[0] is not None]
    return min(known, key=lambda item: item[0] or 0)[1] if known else None


def _rank(challenge: Challenge) -> int | None:
    """Return 0 for the best kind of challenge, None for one that cannot be answered."""
    if challenge.scheme == "basic":
        return len(ALGORITHMS)
    algorithm = challenge.get("algorithm")
    if challenge.scheme != "digest" or not knows_algorithm(algorithm):
        return None
    return list(ALGORITHMS).index(algorithm.upper().removesuffix("-SESS") or "MD5")


def _same_space(one: Challenge, other: Challenge) -> bool:
    """Whether two challenges ask for the same credentials."""
    return (one.scheme, one.get("realm")) == (other.scheme, other.get("realm"))


def _chosen_qop(challenge: Challenge) -> str:
    """Return ``auth`` if offered, else ``auth-int`` if offered, else nothing: RFC 2069."""
    offered = [word.strip().lower() for word in challenge.get("qop").split(",")]
    return next((qop for qop in ("auth", "auth-int") if qop in offered), "")


def verify(
    answer: Authorization, method: str, secret: str, algorithm: str = "MD5", body: bytes = b""
) -> bool:
    """Check a Digest answer, with ``qop`` or without (RFC 2069), in constant time.

    This proves only that who wrote the answer knows the password: realm, nonce and ``uri`` are
    for the caller to check, as `axis_nvr.session.server.challenger.Challenger` does.

    :param secret: as `secret_hash` gives it, for this algorithm.
    :param algorithm: the one that was asked for; an answer with another one is refused.
    """
    said = answer.get("algorithm").upper() or "MD5"
    if said.removesuffix("-SESS") != algorithm.upper() or not knows_algorithm(said):
        return False
    if answer.get("qop").lower() not in ("", "auth", "auth-int"):
        return False
    expected = digest_response(secret, method, answer.get("uri"), answer, body)
    given = answer.get("response").lower()
    return hmac.compare_digest(expected.encode(), given.encode("latin-1", "replace"))
