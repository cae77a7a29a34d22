"""What a server's no means: who is at fault, and whether to try again.

Source: RFC 2326 §7.1.1, §11.
"""

from enum import StrEnum

from axis_nvr.session.digest import Failure


class Fault(StrEnum):
    """Who has to change something."""

    NOBODY = "nobody"  # 3xx: it is elsewhere
    OURS = "ours"  # 4xx: what was asked for, or how
    THEIRS = "theirs"  # 5xx: the server itself


def fault_of(status: int) -> Fault:
    """Tell from a status code who is at fault."""
    if status < 400:
        return Fault.NOBODY
    return Fault.OURS if status < 500 else Fault.THEIRS


class RefusalKind(StrEnum):
    """Kinds of no that a recorder treats differently."""

    WRONG_CREDENTIALS = "wrong-credentials"
    NO_CREDENTIALS = "no-credentials"
    UNKNOWN_AUTHENTICATION = "unknown-authentication"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    BUSY = "busy"
    SESSION_LOST = "session-lost"
    UNSUPPORTED_TRANSPORT = "unsupported-transport"
    UNSUPPORTED_OPTION = "unsupported-option"
    ENCRYPTION_REQUIRED = "encryption-required"
    NOT_FOLLOWED = "redirect-not-followed"
    NOTHING_WANTED = "nothing-wanted"
    REQUEST = "request"  # another 4xx
    SERVER = "server"  # another 5xx


_BY_STATUS = {
    401: RefusalKind.WRONG_CREDENTIALS,
    403: RefusalKind.FORBIDDEN,
    404: RefusalKind.NOT_FOUND,
    410: RefusalKind.NOT_FOUND,
    # 453 is what cameras say when all their sessions are taken (quirk 10), 503 too.
    453: RefusalKind.BUSY,
    454: RefusalKind.SESSION_LOST,
    461: RefusalKind.UNSUPPORTED_TRANSPORT,
    # Axis cameras set to SRTP refuse all keys but their client's: key management failure
    # (quirk 19). Here it is the answer to that too.
    463: RefusalKind.ENCRYPTION_REQUIRED,
    503: RefusalKind.BUSY,
    551: RefusalKind.UNSUPPORTED_OPTION,
}
_BY_FAILURE = {
    Failure.WRONG_CREDENTIALS: RefusalKind.WRONG_CREDENTIALS,
    Failure.NO_CREDENTIALS: RefusalKind.NO_CREDENTIALS,
    Failure.UNKNOWN_SCHEME: RefusalKind.UNKNOWN_AUTHENTICATION,
    Failure.NEVER_SATISFIED: RefusalKind.UNKNOWN_AUTHENTICATION,
}
#: Our words where the server's do not tell a person what to do.
_WORDS = {
    RefusalKind.WRONG_CREDENTIALS: "the camera does not accept this user name and password",
    RefusalKind.NO_CREDENTIALS: "the camera asks for a user name and password",
    RefusalKind.UNKNOWN_AUTHENTICATION: "the camera asks for a kind of login that is not known",
    RefusalKind.BUSY: "the camera has no session left",
    RefusalKind.ENCRYPTION_REQUIRED: "the camera demands SRTP and does not take our key",
}


def refusal_kind(status: int, failure: Failure | None = None) -> RefusalKind:
    """Sort a status code, and of a 401 why it was not answered."""
    if failure is not None:
        return _BY_FAILURE[failure]
    other = {Fault.NOBODY: RefusalKind.NOT_FOLLOWED, Fault.OURS: RefusalKind.REQUEST}
    return _BY_STATUS.get(status, other.get(fault_of(status), RefusalKind.SERVER))


def refusal_words(kind: RefusalKind, reason: str) -> str:
    """Return what to tell a person: our words where they help, the server's behind them."""
    words = _WORDS.get(kind, "")
    return f"{words} ({reason})" if words and reason else words or reason
