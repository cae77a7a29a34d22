"""Events of a camera over WebSocket: what is asked for, and what it tells.

::

    ──►  {"apiVersion": "1.0", "method": "events:configure",
          "params": {"eventFilterList": [{"topicFilter": "…"}]}}
    ◄──  {"apiVersion": "1.0", "method": "events:configure", "data": {}}
    ◄──  {"apiVersion": "1.0", "method": "events:notify",
          "params": {"notification": {"timestamp": 1700000000000, "topic": "…",
           "message": {"source": {}, "key": {}, "data": {"active": "1"}}}}}

The first text after the request is its answer; all after it tell of events. There is no word for
what has become of a property, and none for one that is gone.

Source: VAPIX, event streaming over WebSocket.
"""

import json
from typing import Any

from axis_nvr.errors import WireError
from axis_nvr.wire.notification import (
    MAX_ITEMS,
    MAX_TEXT_CHARACTERS,
    UNKNOWN_TIME_US,
    Items,
    Notification,
)
from axis_nvr.wire.topics import normalized

#: Bytes of one message.
MAX_MESSAGE_BYTES = 1 << 18

_SOURCE = "VAPIX event streaming over WebSocket"


def configure_request(topics: str) -> str:
    """Write what asks for events.

    :param topics: a filter; ``//.`` is all.
    """
    filters = [{"topicFilter": topics}]
    request = {
        "apiVersion": "1.0",
        "method": "events:configure",
        "params": {"eventFilterList": filters},
    }
    return json.dumps(request)


def read_answer(text: str) -> str:
    """Read the answer to a request.

    :returns: why it was refused, in the camera's words; empty: it was not.
    :raises WireError: it is none.
    """
    message = _object(text)
    error = message.get("error")
    if error is None:
        return ""
    if not isinstance(error, dict):
        raise WireError("an error that is no object", source=_SOURCE)
    return f"{error.get('code')!s:.20} {error.get('message')!s:.200}"


def parse_notify(data: bytes) -> list[Notification]:
    """Read a message that tells of an event.

    :returns: what it tells; nothing if it is another message.
    :raises WireError: it is none, or beyond the limits.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise WireError(f"a message of {len(data)} bytes", source=_SOURCE)
    try:
        message = _object(data.decode())
    except UnicodeDecodeError as error:
        raise WireError("a message that is not UTF-8", offset=error.start, source=_SOURCE) from None
    if message.get("method") != "events:notify":
        return []
    told = _within(_within(message, "params"), "notification")
    content = told.get("message", {})
    if not isinstance(content, dict):
        raise WireError("an event whose message is no object", source=_SOURCE)
    topic = told.get("topic")
    if not isinstance(topic, str):
        raise WireError("an event without a topic", source=_SOURCE)
    groups = [_items(content.get(name, {})) for name in ("source", "data", "key")]
    return [Notification(normalized(topic), _time(told.get("timestamp")), None, *groups)]


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError(f"no JSON: {error!s:.100}", source=_SOURCE) from None
    if not isinstance(value, dict):
        raise WireError("JSON that is no object", source=_SOURCE)
    return value


def _within(value: dict[str, Any], name: str) -> dict[str, Any]:
    inner = value.get(name)
    if not isinstance(inner, dict):
        raise WireError(f"an event without {name}", source=_SOURCE)
    return inner


def _time(value: object) -> int:
    """Read milliseconds since 1970; a camera whose clock is not set tells none."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1e14:
        return UNKNOWN_TIME_US
    return int(value * 1000)


def _items(group: object) -> Items:
    if not isinstance(group, dict) or len(group) > MAX_ITEMS:
        raise WireError("items that are no object, or too many", source=_SOURCE)
    return tuple((name, _text(value)) for name, value in group.items())


def _text(value: object) -> str:
    """Read a value; they are text, but a boolean is as good."""
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) > MAX_TEXT_CHARACTERS:
        raise WireError(f"an item of {len(text)} characters", source=_SOURCE)
    return text
