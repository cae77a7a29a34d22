"""The messages of the event stream: what is configured, and what is told.

::

    ──►  {"apiVersion": "1.0", "context": "echoed", "method": "events:configure",
          "params": {"eventFilterList": [{"topicFilter": "…", "contentFilter": "…"}]}}
    ◄──  {"apiVersion": "1.0", "context": "echoed", "method": "events:configure", "data": {}}
    ◄──  {"apiVersion": "1.0", "method": "events:notify",
          "params": {"notification": {"timestamp": 1700000000000, "topic": "…",
           "message": {"source": {}, "key": {}, "data": {"active": "1"}}}}}
"""

import json
from dataclasses import dataclass
from typing import Any

from axis_nvr.errors import WireError
from axis_nvr.vapix.json_api import MAX_CONTEXT_CHARACTERS, JsonError, parse_object
from axis_nvr.wire.event_filter import EventFilter
from axis_nvr.wire.item_filter import ItemFilter
from axis_nvr.wire.notification import UNKNOWN_TIME_US, Notification
from axis_nvr.wire.topics import TopicFilter

API_VERSION = "1.0"
CONFIGURE = "events:configure"
#: Entries of one list of filters.
MAX_FILTERS = 32

INTERNAL_ERROR = 1100
UNKNOWN_VERSION = 2100
INVALID_JSON = 2101
UNKNOWN_METHOD = 2102
MISSING = 2103
INVALID_VALUE = 2104
TOO_LARGE = 2107


@dataclass(slots=True)
class Request:
    """A request, as far as it could be read.

    :param filters: what is wanted; each is a subscription of its own.
    """

    context: str | None = None
    method: str = ""
    filters: tuple[EventFilter, ...] = ()

    def read(self, text: str) -> None:
        """Read a request; what was read before an error is kept for the answer.

        :raises JsonError: it is none.
        """
        try:
            given = parse_object(text.encode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            raise JsonError(INVALID_JSON, f"Invalid JSON: {error}") from None
        context, method = given.get("context"), given.get("method")
        if isinstance(context, str):
            self.context = context[:MAX_CONTEXT_CHARACTERS]
        if isinstance(method, str):
            self.method = method[:100]
        _check_version(given)
        if method is None:
            raise JsonError(MISSING, "Required parameter 'method' is missing")
        if method != CONFIGURE:
            raise JsonError(UNKNOWN_METHOD, f"Method not supported: {method!s:.100}")
        self.filters = _filters(given.get("params"))

    def success(self) -> str:
        """Write the answer to a request that was carried out."""
        return self._answer({"data": {}})

    def failure(self, code: int, message: str) -> str:
        """Write the answer to one that was not."""
        return self._answer({"error": {"code": code, "message": message}})

    def _answer(self, outcome: dict[str, Any]) -> str:
        answer: dict[str, Any] = {"apiVersion": API_VERSION}
        if self.context is not None:
            answer["context"] = self.context
        if self.method:
            answer["method"] = self.method
        return json.dumps(answer | outcome)


def _check_version(given: dict[str, Any]) -> None:
    version = given.get("apiVersion")
    if version is None:
        raise JsonError(MISSING, "Required parameter 'apiVersion' is missing")
    if not isinstance(version, str):
        raise JsonError(INVALID_VALUE, "'apiVersion' is no string")
    if version.partition(".")[0] != API_VERSION.partition(".")[0]:
        raise JsonError(UNKNOWN_VERSION, f"API version not supported: {version:.20}")


def _filters(params: object) -> tuple[EventFilter, ...]:
    """Read the parameters of ``events:configure``."""
    entries = params.get("eventFilterList") if isinstance(params, dict) else None
    if entries is None:
        raise JsonError(MISSING, "Required parameter 'eventFilterList' is missing")
    if not isinstance(entries, list):
        raise JsonError(INVALID_VALUE, "'eventFilterList' is no list")
    if len(entries) > MAX_FILTERS:
        raise JsonError(INVALID_VALUE, f"'eventFilterList' has over {MAX_FILTERS} entries")
    return tuple(map(_filter, entries))


def _filter(entry: object) -> EventFilter:
    if not isinstance(entry, dict):
        raise JsonError(INVALID_VALUE, "an entry of 'eventFilterList' is no object")
    topic, content = entry.get("topicFilter"), entry.get("contentFilter")
    if topic is None and content is None:
        raise JsonError(MISSING, "an entry has neither 'topicFilter' nor 'contentFilter'")
    if not isinstance(topic or "", str) or not isinstance(content or "", str):
        raise JsonError(INVALID_VALUE, "a filter is no string")
    try:
        topics = TopicFilter.parse(topic) if topic else None
        contents = (ItemFilter.parse(content),) if content else ()
    except WireError as error:
        raise JsonError(INVALID_VALUE, f"no filter: {error}") from None
    return EventFilter(topics, contents)


def notify(notification: Notification) -> str:
    """Write what tells of a notification; values are text, in their order."""
    told: dict[str, Any] = {}
    if notification.utc_us != UNKNOWN_TIME_US:
        told["timestamp"] = notification.utc_us // 1000
    told["topic"] = notification.topic
    told["message"] = {
        "source": dict(notification.source),
        "key": dict(notification.key),
        "data": dict(notification.data),
    }
    message = {
        "apiVersion": API_VERSION,
        "method": "events:notify",
        "params": {"notification": told},
    }
    return json.dumps(message)
