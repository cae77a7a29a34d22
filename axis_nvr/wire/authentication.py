"""The headers of HTTP and RTSP authentication: challenges, and the answers to them.

::

    WWW-Authenticate: Digest realm="AXIS_ACCC8E012345", nonce="0000fd2bY28…", stale=FALSE
    WWW-Authenticate: Digest realm="x", nonce="y", qop="auth", algorithm=SHA-256, Basic realm="x"
    Authorization: Digest username="root", realm="…", nonce="…", uri="…", response="…"
    Authorization: Basic cm9vdDpwYXNz

One header may hold several challenges, and there may be several headers. Values in quotes are
unescaped. Text is Latin-1, one character for a byte, as in `axis_nvr.wire.rtsp`.

Source: RFC 7235 §2.1, §4.1; RFC 7616 §3.3, §3.4; RFC 7617 §2; RFC 2069 §2.1.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from axis_nvr.errors import LocalProtocolError, WireError

#: Characters of one header that are looked at.
MAX_AUTHENTICATION_CHARACTERS = 8 * 1024
#: Challenges of one message; more are not looked at.
MAX_CHALLENGES = 16
#: Parameters of one challenge or answer; more are not looked at.
MAX_AUTHENTICATION_PARAMETERS = 32

#: No pattern here looks twice at a run of spaces: a header is read before anyone is trusted.
_BETWEEN = re.compile(r"[\s,]*")
#: A word, and what tells a parameter from the name of a scheme: the equals sign behind it.
_WORD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(=?)[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|$)', re.DOTALL)
_BARE = re.compile(r"[^\",]*")
#: Where the next parameter begins within a bare value, because a comma was forgotten.
_NEXT_PARAMETER = re.compile(r"[ \t][A-Za-z][A-Za-z-]*[ \t]*=")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to authenticate that a server offers.

    :param scheme: in lower case: ``digest``, ``basic`` or what else it said.
    :param parameters: names in lower case, values as sent without their quotes.
    """

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        """Return a parameter, or `default`."""
        return self.parameters.get(name, default)

    @property
    def stale(self) -> bool:
        """Whether only the nonce was too old, and the credentials may well be right."""
        return self.get("stale").lower() == "true"


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a client sends to prove who it is.

    :param scheme: in lower case: ``digest``, ``basic`` or what else it said.
    :param parameters: of ``digest``: names in lower case, values without their quotes.
    :param username: of ``basic``; of ``digest`` it is a parameter like others.
    :param password: of ``basic``.
    """

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict, repr=False)
    username: str = ""
    password: str = field(default="", repr=False)

    def get(self, name: str, default: str = "") -> str:
        """Return a parameter, or `default`."""
        return self.parameters.get(name, default)


def parse_challenges(values: Iterable[str | bytes]) -> list[Challenge]:
    """Read ``WWW-Authenticate`` headers, all of one response.

    What cannot be read is passed over: the answer is then that there are no challenges.

    :param values: the headers, in order.
    :returns: the challenges in their order, those of unknown schemes too.

    Source: RFC 7235 §4.1.
    """
    found: list[Challenge] = []
    for value in values:
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        for name, parameter in _words(text[:MAX_AUTHENTICATION_CHARACTERS]):
            if parameter is None:
                found.append(Challenge(name.lower()))
            elif found and len(found[-1].parameters) < MAX_AUTHENTICATION_PARAMETERS:
                # The first of its name counts: so nothing behind can weaken what stood before.
                found[-1].parameters.setdefault(name.lower(), parameter)
    return found[:MAX_CHALLENGES]


def _words(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield names of schemes with None, and names of parameters with their values."""
    place = 0
    while (place := _end(_BETWEEN, text, place)) < len(text):
        word = _WORD.match(text, place)
        if word is None:
            place += 1  # something that no grammar has here
        elif not word[2]:
            yield word[1], None
            place = word.end()
        elif quoted := _QUOTED.match(text, word.end()):
            yield word[1], _ESCAPED.sub(r"\1", quoted[1])
            place = quoted.end()
        else:
            # A bare value ends at a comma, or where the next parameter begins: cameras forget
            # both quotes and commas, as in ``realm=IP Camera(12345), nonce=…``.
            place = _end(_BARE, text, word.end())
            if following := _NEXT_PARAMETER.search(text, word.end(), place):
                place = following.start()
            yield word[1], text[word.end() : place].rstrip()


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    """Return where a pattern that matches anything ends."""
    found = pattern.match(text, place)
    return found.end() if found else place


def parse_authorization(value: str | bytes) -> Authorization:
    """Read an ``Authorization`` header.

    :raises WireError: no scheme, or Basic credentials that are none; their text is not repeated.

    Source: RFC 7616 §3.4, RFC 7617 §2.
    """
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    scheme, _, rest = text.strip()[:MAX_AUTHENTICATION_CHARACTERS].partition(" ")
    if not scheme:
        raise WireError("empty Authorization", source="RFC 7235 §4.2")
    if scheme.lower() != "basic":
        words = [(name.lower(), text) for name, text in _words(rest) if text is not None]
        return Authorization(scheme.lower(), dict(words[:MAX_AUTHENTICATION_PARAMETERS]))
    try:
        user_pass = base64.b64decode(rest.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise WireError("Basic credentials not in base64", source="RFC 7617 §2") from None
    username, colon, password = decode_text(user_pass).partition(":")
    if not colon:
        raise WireError("Basic credentials without a colon", source="RFC 7617 §2")
    return Authorization("basic", {}, username, password)


def decode_text(data: bytes) -> str:
    """Read a name or password: UTF-8, and Latin-1 where it is not that."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def encode_text(text: str) -> str:
    """Bring text into a header: UTF-8, one character for a byte."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def build_basic(username: str, password: str) -> str:
    """Write a Basic ``Authorization``.

    :raises LocalProtocolError: a colon in the user name, which the format cannot carry.

    Source: RFC 7617 §2.
    """
    if ":" in username:
        raise LocalProtocolError("a user name with a colon cannot be sent as Basic credentials")
    user_pass = f"{username}:{password}".encode("utf-8", "surrogateescape")
    return f"Basic {base64.b64encode(user_pass).decode('ascii')}"


def build_digest_authorization(parameters: Iterable[tuple[str, str]]) -> str:
    """Write a Digest ``Authorization``: every value in quotes but those the RFC has bare."""
    return "Digest " + _build_parameters(parameters, {"algorithm", "qop", "nc"})


def build_digest_challenge(
    realm: str, nonce: str, *, stale: bool | None = None, algorithm: str = "", qop: str = ""
) -> str:
    """Write a Digest challenge.

    With nothing but ``stale=False`` it is exactly what Axis cameras send over RTSP::

        Digest realm="AXIS_ACCC8E012345", nonce="…", stale=FALSE

    and with ``algorithm="MD5", qop="auth"`` what they send over HTTP.

    :param stale: None leaves it out.
    :param algorithm: empty leaves it out, which means MD5.
    :param qop: empty leaves it out, which means the form of RFC 2069.
    """
    parameters = [("realm", realm), ("nonce", nonce)]
    if stale is not None:
        parameters.append(("stale", str(stale).upper()))
    if algorithm:
        parameters.append(("algorithm", algorithm))
    if qop:
        parameters.append(("qop", qop))
    return "Digest " + _build_parameters(parameters, {"stale", "algorithm"})


def _build_parameters(parameters: Iterable[tuple[str, str]], bare: set[str]) -> str:
    """Write parameters, comma and space between them."""
    texts = []
    for name, value in parameters:
        if name in bare:
            texts.append(f"{name}={value}")
        else:
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            texts.append(f'{name}="{escaped}"')
    return ", ".join(texts)
