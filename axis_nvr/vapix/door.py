"""The door of the HTTP server: who may come in.

Over HTTP only Digest is asked for and taken; over HTTPS Digest and Basic, as Axis devices do with
their recommended policy. Until there is an administrator every request but a few is answered 401
with ``Axis-Setup: vapix``. A role that is too low is answered 403.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from axis_nvr.errors import WireError
from axis_nvr.services.accounts import Account, Accounts, Role
from axis_nvr.services.audit import Audit
from axis_nvr.services.lockout import Lockout
from axis_nvr.session.digest import Credentials, digest_response, secret_hash
from axis_nvr.session.server.challenger import Challenger, Verdict
from axis_nvr.vapix.call import Reply, html_reply
from axis_nvr.wire.authentication import Authorization, decode_text, parse_authorization


@dataclass(frozen=True, slots=True)
class Knock:
    """What of a request decides whether it is let in.

    :param uri: of the request line, query and all.
    :param authorization: the header, empty if there is none.
    """

    method: str
    uri: str
    authorization: str
    address: str
    is_secure: bool


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody who was let in.

    :param account: None for one who needs no account.
    :param headers: to be sent with the answer.
    """

    account: Account | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Door:
    """Lets requests in or answers why not.

    :param key: random bytes; whoever has them can make nonces.
    :param now: a clock that never steps, in seconds.
    """

    def __init__(
        self,
        accounts: Accounts,
        audit: Audit,
        lockout: Lockout,
        key: bytes,
        now: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._audit = audit
        self._lockout = lockout
        self._now = now
        self._challenger = Challenger(accounts.realm, key, qop="auth")

    def admit(self, knock: Knock, role: Role | None, *, before_setup: bool) -> Admitted | Reply:
        """Let a request in, or answer why not.

        :param role: the least that is needed; None needs no account.
        :param before_setup: whether the endpoint answers while there is no administrator.
        """
        if self._accounts.needs_setup:
            if before_setup:
                return Admitted()
            return html_reply(
                "<p>This recorder has no administrator yet. See the guide, &ldquo;The first"
                " administrator&rdquo;.</p>",
                401,
                ("Axis-Setup", "vapix"),
                *self._challenges(knock, stale=False),
            )
        if role is None and not knock.authorization:
            return Admitted()
        answer = _parsed(knock.authorization)
        name = "" if answer is None else _name_of(answer)
        if self._lockout.is_closed(knock.address, name, self._now()):
            return html_reply("<p>Too many failed attempts. Wait a minute.</p>", 403)
        verdict = self._check(knock, answer)
        account = self._accounts.all.get(name) if verdict is Verdict.ACCEPTED else None
        if account is None:
            if role is None:
                return Admitted()
            return self._turn_away(knock, name, verdict)
        self._lockout.succeeded(knock.address, name)
        if role is not None and account.role < role:
            words = f"<p>This needs the rights of an {role.name.lower()} at least.</p>"
            return html_reply(words, 403)
        return Admitted(account, _proof(account, answer))

    def _turn_away(self, knock: Knock, name: str, verdict: Verdict) -> Reply:
        if verdict is Verdict.WRONG:
            self._lockout.failed(knock.address, name, self._now())
            self._audit.note(name, knock.address, "log in", "HTTP", "wrong credentials")
        challenges = self._challenges(knock, stale=verdict is Verdict.STALE)
        return html_reply("<p>401 Unauthorized</p>", 401, *challenges)

    def _challenges(self, knock: Knock, *, stale: bool) -> list[tuple[str, str]]:
        values = [self._challenger.challenge(self._now(), stale)]
        if knock.is_secure:
            values.append(f'Basic realm="{self._accounts.realm}"')
        return [("WWW-Authenticate", value) for value in values]

    def _check(self, knock: Knock, answer: Authorization | None) -> Verdict:
        if answer is None:
            return Verdict.WRONG if knock.authorization else Verdict.MISSING
        if answer.scheme == "basic":
            right = knock.is_secure and self._is_right(answer)
            return Verdict.ACCEPTED if right else Verdict.WRONG
        verdict, _ = self._challenger.check(
            knock.authorization, knock.method, knock.uri, self._now(), self._accounts.secret_of
        )
        return verdict

    def _is_right(self, answer: Authorization) -> bool:
        """Check a password; an unknown account takes as long as a known one."""
        secret = self._accounts.secret_of(answer.username)
        given = secret_hash(Credentials(answer.username, answer.password), self._accounts.realm)
        return hmac.compare_digest(given, secret or "-") and secret is not None


def _parsed(header: str) -> Authorization | None:
    if not header:
        return None
    try:
        return parse_authorization(header)
    except WireError:
        return None


def _name_of(answer: Authorization) -> str:
    if answer.scheme == "basic":
        return answer.username
    return decode_text(answer.get("username").encode("latin-1", "replace"))


def _proof(account: Account, answer: Authorization | None) -> tuple[tuple[str, str], ...]:
    """Prove to a client of Digest that we know the password too (RFC 7616 §3.5)."""
    if answer is None or answer.scheme != "digest" or not answer.get("qop"):
        return ()
    proof = digest_response(account.secret, "", answer.get("uri"), answer)
    value = f'rspauth="{proof}", cnonce="{answer.get("cnonce")}", nc={answer.get("nc")}, qop=auth'
    if not value.isprintable():
        return ()
    return (("Authentication-Info", value),)
