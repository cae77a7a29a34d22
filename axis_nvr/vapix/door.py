"""The door of the HTTP server: who may come in.

Over HTTP only Digest is asked for and taken; over HTTPS Digest and Basic, as Axis devices do with
their recommended policy. Until there is an administrator every request but a few is answered 401
with ``Axis-Setup: vapix``. A role that is too low is answered 403.
"""

from dataclasses import dataclass

from axis_nvr.services.accounts import Account, Role
from axis_nvr.services.gatekeeper import HTTP, Finding, Gatekeeper, Knock, Standing
from axis_nvr.session.digest import digest_response
from axis_nvr.vapix.call import Reply, html_reply
from axis_nvr.wire.authentication import Authorization


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody who was let in.

    :param account: None for one who needs no account.
    :param headers: to be sent with the answer.
    :param finding: None for one who was not looked at.
    """

    account: Account | None = None
    headers: tuple[tuple[str, str], ...] = ()
    finding: Finding | None = None


#: What somebody sees in a browser before there is an administrator.
SETUP_PAGE = (
    "<p>This recorder has no administrator yet. One call makes it:</p>"
    "<pre>curl 'http://&lt;this recorder&gt;/axis-cgi/pwdgrp.cgi' --data"
    " 'action=add&amp;user=root&amp;pwd=&lt;password&gt;&amp;grp=root"
    "&amp;sgrp=admin:operator:viewer:ptz'</pre>"
)


class Door:
    """Lets requests in or answers why not."""

    def __init__(self, gatekeeper: Gatekeeper) -> None:
        self._gatekeeper = gatekeeper

    def admit(self, knock: Knock, role: Role | None, *, before_setup: bool) -> Admitted | Reply:
        """Let a request in, or answer why not.

        :param role: the least that is needed; None needs no account.
        :param before_setup: whether the endpoint answers while there is no administrator.
        """
        if self._gatekeeper.needs_setup:
            needs_nobody = before_setup
        else:
            needs_nobody = role is None and not _can_prove(knock)
        if needs_nobody:
            return Admitted()
        return self._answer(knock, self._gatekeeper.judge(knock, HTTP), role)

    def turn_away(self, knock: Knock, admitted: Admitted, role: Role) -> Reply:
        """Answer one who was let in without a role, and turned out to need this one."""
        finding = admitted.finding or self._gatekeeper.judge(knock, HTTP)
        refused = self._answer(knock, finding, role)
        assert isinstance(refused, Reply), "the endpoint knew the role"
        return refused

    def _answer(self, knock: Knock, finding: Finding, role: Role | None) -> Admitted | Reply:
        match finding:
            case Finding(Standing.NO_ADMINISTRATOR):
                return html_reply(
                    SETUP_PAGE,
                    401,
                    ("Axis-Setup", "vapix"),
                    *self._gatekeeper.challenges(knock, HTTP),
                )
            case Finding(Standing.SHUT_OUT):
                return html_reply("<p>Too many failed attempts. Wait a minute.</p>", 403)
            case Finding(account=Account() as account) if role is not None and account.role < role:
                words = f"<p>This needs the rights of an {role.name.lower()} at least.</p>"
                return html_reply(words, 403)
            case Finding(account=Account() as account):
                return Admitted(account, _proof(account, finding.answer), finding)
            case _ if role is None:
                return Admitted(finding=finding)
        is_stale = finding.standing is Standing.STALE
        challenges = self._gatekeeper.challenges(knock, HTTP, stale=is_stale)
        return html_reply("<p>401 Unauthorized</p>", 401, *challenges)


def _can_prove(knock: Knock) -> bool:
    """Tell whether it has credentials that we take.

    Others are not looked at where none are needed: a probe with a header for somebody else is
    no guesser.
    """
    scheme = knock.authorization.strip().partition(" ")[0].lower()
    return scheme == "digest" or (scheme == "basic" and knock.is_secure)


def _proof(account: Account, answer: Authorization | None) -> tuple[tuple[str, str], ...]:
    """Prove to a client of Digest that we know the password too (RFC 7616 §3.5)."""
    if answer is None or answer.scheme != "digest" or not answer.get("qop"):
        return ()
    proof = digest_response(account.secret, "", answer.get("uri"), answer)
    value = f'rspauth="{proof}", cnonce="{answer.get("cnonce")}", nc={answer.get("nc")}, qop=auth'
    if not value.isprintable():
        return ()
    return (("Authentication-Info", value),)
