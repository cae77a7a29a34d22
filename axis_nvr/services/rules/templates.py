"""The templates that the recorder offers: what it really does, and nothing else.

The parameters of a notification are its own and those of its recipient: who adds an action says
them all, in any order, those that are not used with an empty value. `LATER` came with later
versions of the interface; a client of an earlier one leaves them out. `ALLOWED_EMPTY` are
parameters of other devices for what we do not do: they may be there, with an empty value.
"""

from collections.abc import Iterable, Mapping

from axis_nvr.services.rules.errors import ParametersMismatch
from axis_nvr.services.rules.model import Template
from axis_nvr.wire.rtsp import redacted

_ACTION = "com.axis.action."
_RECIPIENT = "com.axis.recipient."
_HTTP = (
    "upload_url",
    "login",
    "password",
    "proxy_host",
    "proxy_port",
    "proxy_login",
    "proxy_password",
    "qos",
)
_SMTP = (
    "email_to",
    "email_from",
    "host",
    "port",
    "login",
    "password",
    "qos",
    "encryption",
    "validate_server_cert",
)
#: What a recipient needs to know, by its last token.
_RECIPIENTS = {
    "http": _HTTP,
    "https": (*_HTTP, "validate_server_cert"),
    "smtp": _SMTP,
    "tcp": ("host", "port", "qos"),
}
_REQUEST = ("message", "parameters", "method", "http_headers", "body")
#: What a notification needs to know beside that.
_NOTIFICATIONS = {
    "http": _REQUEST,
    "https": _REQUEST,
    "smtp": ("subject", "message"),
    "tcp": ("message",),
}
_RECORDING = ("stream_options", "pre_duration", "post_duration", "storage_id")

#: Recordings to a disk, and by a recording group.
FIXED_RECORDING = f"{_ACTION}fixed.recording.storage"
UNLIMITED_RECORDING = f"{_ACTION}unlimited.recording.storage"
GROUP_RECORDING = f"{_ACTION}unlimited.recording_group.storage"

RECIPIENT_TEMPLATES = tuple(
    Template(f"{_RECIPIENT}{kind}", "", parameters) for kind, parameters in _RECIPIENTS.items()
)
ACTION_TEMPLATES = (
    Template(FIXED_RECORDING, "", _RECORDING),
    Template(UNLIMITED_RECORDING, "", _RECORDING),
    Template(GROUP_RECORDING, "", ("recording_group_id",)),
    *(
        Template(
            f"{_ACTION}fixed.notification.{kind}",
            f"{_RECIPIENT}{kind}",
            (*own, *_RECIPIENTS[kind]),
        )
        for kind, own in _NOTIFICATIONS.items()
    ),
)

#: Parameters that may be missing: they were added to their templates later.
LATER = frozenset({"method", "http_headers", "body"})
#: Parameters of SMTP that may be there if they are empty: signing in by POP before sending.
ALLOWED_EMPTY = frozenset({"pop_host", "pop_port", "pop_login", "pop_password"})
#: Parameters that are never shown.
SECRET = frozenset({"password", "proxy_password", "pop_password"})
#: The parameter of which the names are shown, and not the values: these may be keys to a service.
HEADERS = "http_headers"


def is_unlimited(token: str) -> bool:
    """Tell whether an action runs for as long as its rule says, and not once."""
    return token.startswith(f"{_ACTION}unlimited.")


def notification_kind(token: str) -> str:
    """Give how a notification is sent: ``http``, ``https``, ``smtp``, ``tcp``; else nothing."""
    prefix = f"{_ACTION}fixed.notification."
    return token.removeprefix(prefix) if token.startswith(prefix) else ""


def matched(template: Template, parameters: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Lay parameters beside their template.

    :returns: the values by name; what may be missing, and is, is empty.
    :raises ParametersMismatch: one is missing, unexpected or there twice.
    """
    values: dict[str, str] = {}
    for name, value in parameters:
        if name in values:
            raise ParametersMismatch(f"the parameter {name:.60} is there twice")
        values[name] = value
    known = {*template.parameters, *(ALLOWED_EMPTY if template.token.endswith(".smtp") else ())}
    for name in values:
        if name not in known:
            raise ParametersMismatch(f"{template.token} has no parameter {name!r:.60}")
    for name in template.parameters:
        if name not in values and name not in LATER:
            raise ParametersMismatch(f"{template.token} needs the parameter {name}")
        values.setdefault(name, "")
    return values


def shown(parameters: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Take out of parameters what nobody is to see."""
    return tuple((name, _shown(name, value)) for name, value in parameters)


def _shown(name: str, value: str) -> str:
    if name in SECRET:
        return ""
    if name == "upload_url":
        return redacted(value)
    if name != HEADERS:
        return value
    lines = (line for line in value.splitlines() if line.strip())
    return "\r\n".join(f"{line.partition(':')[0].strip()}:" for line in lines)
