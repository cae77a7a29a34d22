"""A client as others write it: HTTP of the standard library, Digest as RFC 7616 has it.

Nothing of ours is in it, so that a mistake of ours is not made twice. Requests of a client follow
each other over one connection, as those of a VMS do.
"""

import base64
import hashlib
import http.client
import json
import re
import socket
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

#: A request is answered within so many seconds, or the test has failed.
PATIENCE_SECONDS = 60.0
#: Credentials: a name and its password.
Account = tuple[str, str]

_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


@dataclass(frozen=True)
class Answer:
    """A whole answer.

    :param fields: the headers in their order; names in lower case.
    """

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header, its values with commas between them; empty if there is none."""
        return ", ".join(self.all_of(name))

    def all_of(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for field, value in self.fields if field == name.lower()]

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def xml(self) -> ET.Element:
        """The root of the body, parsed."""
        return ET.fromstring(self.body)

    @property
    def challenges(self) -> dict[str, dict[str, str]]:
        """Parameters of each challenge by its scheme, in lower case."""
        found = {}
        for value in self.all_of("WWW-Authenticate"):
            scheme, _, rest = value.partition(" ")
            found[scheme.lower()] = {n: a or b for n, a, b in _PARAMETER.findall(rest)}
        return found


def digest(challenge: dict[str, str], account: Account, method: str, uri: str, **other: str) -> str:
    """Answer a challenge of Digest with MD5 (RFC 7616 §3.4).

    :param other: parameters to be sent in place of the right ones.
    """
    told = {
        "username": account[0],
        "realm": challenge["realm"],
        "nonce": challenge["nonce"],
        "uri": uri,
        "qop": "auth",
        "nc": "00000001",
        "cnonce": "0a4f113b",
    } | other
    a1 = _md5(told["username"], told["realm"], account[1])
    a2 = _md5(method, told["uri"])
    parts = [told["nonce"], told["nc"], told["cnonce"], told["qop"], a2]
    if "qop" not in challenge:
        parts = [told["nonce"], a2]
        for name in ("qop", "nc", "cnonce"):
            del told[name]
    told.setdefault("response", _md5(a1, *parts))
    return "Digest " + ", ".join(
        f"{name}={value}" if name in ("qop", "nc") else f'{name}="{value}"'
        for name, value in told.items()
    )


def basic(account: Account) -> str:
    """Give an account as RFC 7617 has it."""
    return "Basic " + base64.b64encode(":".join(account).encode()).decode()


def _md5(*parts: str) -> str:
    return hashlib.md5(":".join(parts).encode()).hexdigest()


class Client:
    """Asks as one account, or as nobody.

    :param site: such as ``https://192.168.0.90``; certificates are not checked.
    :param source: the address to come from.
    """

    def __init__(self, site: str, account: Account | None = None, source: str = "") -> None:
        parts = urlsplit(site)
        host, origin = parts.hostname or "", (source, 0) if source else None
        self._connection = (
            http.client.HTTPSConnection(
                host,
                parts.port,
                timeout=PATIENCE_SECONDS,
                source_address=origin,
                context=ssl._create_unverified_context(),  # noqa: S323 - it is its own
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(
                host, parts.port, timeout=PATIENCE_SECONDS, source_address=origin
            )
        )
        self.account = account
        self._challenges: dict[str, dict[str, str]] = {}

    def ask(
        self,
        uri: str,
        method: str = "GET",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request, and once more with an answer to a challenge.

        :param uri: sent as it is.
        """
        answer = self.send(uri, method, body, {**self._proof(method, uri), **(headers or {})})
        if answer.status == 401 and self.account and answer.challenges:
            self._challenges = answer.challenges
            answer = self.send(uri, method, body, {**self._proof(method, uri), **(headers or {})})
        return answer

    def send(
        self,
        uri: str,
        method: str = "GET",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request as it is; again if the connection had been closed meanwhile."""
        try:
            return self._send(uri, method, body, headers or {})
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.close()
            return self._send(uri, method, body, headers or {})

    def _send(self, uri: str, method: str, body: bytes, headers: dict[str, str]) -> Answer:
        connection = self._connection
        try:
            connection.putrequest(method, uri, skip_accept_encoding=True)
            if body or method in ("POST", "PUT", "PATCH"):
                connection.putheader("Content-Length", str(len(body)))
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            whole = response.read()
        except http.client.HTTPException:
            self.close()
            raise
        fields = tuple((name.lower(), value) for name, value in response.getheaders())
        return Answer(response.status, fields, whole)

    def _proof(self, method: str, uri: str) -> dict[str, str]:
        if self.account is None or not self._challenges:
            return {}
        if "basic" in self._challenges:
            return {"Authorization": basic(self.account)}
        return {"Authorization": digest(self._challenges["digest"], self.account, method, uri)}

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        self._connection.close()


def connect(site: str, source: str = "") -> socket.socket:
    """Open a connection over which anything may be sent; TLS where the site has it."""
    parts = urlsplit(site)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    origin = (source, 0) if source else None
    plain = socket.create_connection((parts.hostname, port), PATIENCE_SECONDS, origin)
    if parts.scheme != "https":
        return plain
    return ssl._create_unverified_context().wrap_socket(plain)  # noqa: S323
