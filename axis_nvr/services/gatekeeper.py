"""Who comes in, by whatever way: one judge of all credentials.

HTTP, RTSP and WebSocket ask for credentials each in its own form, and say no each in its own form.
Whose they are, who has failed too often and what is written down of it is the same for all: who
guesses at one way is shut out at every other.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from axis_nvr.errors import WireError
from axis_nvr.services.accounts import Account, Accounts
from axis_nvr.services.audit import Audit
from axis_nvr.services.lockout import Lockout
from axis_nvr.services.session_tokens import SessionTokens
from axis_nvr.session.digest import Credentials, secret_hash
from axis_nvr.session.server.challenger import Challenger, Verdict
from axis_nvr.wire.authentication import Authorization, decode_text, parse_authorization


class Way(NamedTuple):
    """How credentials are asked for.

    :param name: in the audit log.
    :param qop: of Digest.
    :param takes_basic: in TLS; never in the clear.
    """

    name: str
    qop: str
    takes_basic: bool


#: As Axis devices ask with their recommended policy, and as they ask over RTSP.
HTTP = Way("HTTP", "auth", takes_basic=True)
RTSP = Way("RTSP", "", takes_basic=False)


@dataclass(frozen=True, slots=True)
class Knock:
    """What of a request decides whether it is let in.

    :param uri: of the request line, query and all.
    :param authorization: the header, empty if there is none.
    :param presentation: the URI of the session, see `uri_matches`.
    :param held_nonce: one that its connection was let in with: it does not grow old.
    """

    method: str
    uri: str
    authorization: str
    address: str
    is_secure: bool
    presentation: str = ""
    body: bytes = b""
    held_nonce: str = ""


class Standing(Enum):
    """What came of a knock."""

    KNOWN = auto()
    UNPROVED = auto()  # no credentials, or wrong ones
    STALE = auto()  # right ones, with a nonce too old
    SHUT_OUT = auto()  # not looked at: too many were wrong
    NO_ADMINISTRATOR = auto()  # nobody can be known yet


@dataclass(frozen=True, slots=True)
class Finding:
    """Who knocks.

    :param account: whose credentials they are; None unless they are known.
    :param answer: the credentials, as they were read.
    """

    standing: Standing
    account: Account | None = None
    answer: Authorization | None = None


class Gatekeeper:
    """Judges who may come in, and remembers who failed.

    :param now: a clock that never steps, in seconds.
    :ivar tokens: that stand for an account where credentials cannot be asked for.
    """

    def __init__(self, accounts: Accounts, audit: Audit, now: Callable[[], float]) -> None:
        self.tokens = SessionTokens(accounts, now)
        self._accounts = accounts
        self._audit = audit
        self._now = now
        self._lockout = Lockout()
        self._challengers = {
            way: Challenger(accounts.realm, secrets.token_bytes(32), qop=way.qop)
            for way in (HTTP, RTSP)
        }

    @property
    def needs_setup(self) -> bool:
        """Whether there is no administrator yet, and so nobody can be known."""
        return self._accounts.needs_setup

    def challenges(self, knock: Knock, way: Way, *, stale: bool = False) -> list[tuple[str, str]]:
        """Return the headers that ask for credentials."""
        values = [self._challengers[way].challenge(self._now(), stale)]
        if way.takes_basic and knock.is_secure:
            values.append(f'Basic realm="{self._accounts.realm}"')
        return [("WWW-Authenticate", value) for value in values]

    def judge(self, knock: Knock, way: Way) -> Finding:
        """Find out who knocks; wrong credentials are counted and written down."""
        if self.needs_setup:
            return Finding(Standing.NO_ADMINISTRATOR)
        answer = _parsed(knock.authorization)
        name = _name_of(answer)
        if self._lockout.is_closed(knock.address, name, self._now()):
            return Finding(Standing.SHUT_OUT)
        verdict = self._verdict(knock, way, answer)
        if verdict is Verdict.ACCEPTED:
            self._lockout.succeeded(knock.address, name)
            return Finding(Standing.KNOWN, self._accounts.all[name], answer)
        if verdict is Verdict.WRONG:
            self._lockout.failed(knock.address, name, self._now())
            self._audit.note(name, knock.address, "log in", way.name, "wrong credentials")
        return Finding(Standing.STALE if verdict is Verdict.STALE else Standing.UNPROVED)

    def _verdict(self, knock: Knock, way: Way, answer: Authorization | None) -> Verdict:
        if answer is not None and answer.scheme == "basic":
            right = way.takes_basic and knock.is_secure and self._is_right(answer)
            return Verdict.ACCEPTED if right else Verdict.WRONG
        verdict, _ = self._challengers[way].check(
            knock.authorization,
            knock.method,
            knock.uri,
            self._now(),
            self._accounts.secret_of,
            presentation=knock.presentation,
            body=knock.body,
        )
        if verdict is Verdict.STALE and answer is not None:
            is_held = answer.get("nonce") == knock.held_nonce != ""
            return Verdict.ACCEPTED if is_held else verdict
        return verdict

    def _is_right(self, answer: Authorization) -> bool:
        """Check a password; an unknown account takes as long as a known one."""
        secret = self._accounts.secret_of(answer.username)
        given = secret_hash(Credentials(answer.username, answer.password), self._accounts.realm)
        return hmac.compare_digest(given, secret or "-") and secret is not None


def _parsed(header: str) -> Authorization | None:
    try:
        return parse_authorization(header)
    except WireError:
        return None


def _name_of(answer: Authorization | None) -> str:
    """Read the account that is claimed; empty where none is."""
    if answer is None:
        return ""
    if answer.scheme == "basic":
        return answer.username
    return decode_text(answer.get("username").encode("latin-1", "replace"))
