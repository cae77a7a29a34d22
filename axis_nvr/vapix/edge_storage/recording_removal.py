"""``remove.cgi``: recordings removed by id, by time, or by what they were made by.

::

    GET /axis-cgi/record/remove.cgi?recordingid=<id>[,<id>…]  or  recordingid=all
    GET /axis-cgi/record/remove.cgi?[beforetime=…][&eventid=…][&source=…]

``diskid`` limits either. The answer has an element for each recording, in the order in which they
are removed, and comes while they are: who leaves in the middle has not removed the rest.
"""

from collections.abc import AsyncIterator
from xml.etree import ElementTree as ET

from axis_nvr.errors import NvrError, WireError
from axis_nvr.services.accounts import Role
from axis_nvr.services.audit import Audit
from axis_nvr.services.removals import Removals, Removed
from axis_nvr.storage.reading.search import Search
from axis_nvr.vapix.arguments import Arguments
from axis_nvr.vapix.call import Call, Endpoint, Reply
from axis_nvr.vapix.edge_storage.times import parse_time
from axis_nvr.vapix.xml_cgi import element, old_style
from axis_nvr.vapix.xml_stream import streamed

SCHEMA = "recording/remove1.xsd"
_PATH = "/axis-cgi/record/remove.cgi"
_FILTERS = ("beforetime", "eventid", "source")


class RecordingRemoval:
    """Serves it."""

    def __init__(self, removals: Removals, audit: Audit) -> None:
        self._removals = removals
        self._audit = audit

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return what serves it."""
        return (Endpoint(_PATH, self.remove, Role.OPERATOR),)

    async def remove(self, call: Call) -> Reply:
        """Remove what is asked for."""
        arguments = call.arguments
        disk = arguments.get("diskid") or None
        try:
            wanted = _wanted(arguments)
        except WireError as error:
            refused = element("remove", result="ERROR", errormsg=str(error))
            return old_style(SCHEMA, refused)
        if isinstance(wanted, Search):
            return streamed(SCHEMA, self._all(call, wanted, disk))
        return streamed(SCHEMA, self._each(call, wanted, disk))

    async def _each(
        self, call: Call, recording_ids: list[str], disk: str | None
    ) -> AsyncIterator[ET.Element]:
        for recording_id in recording_ids:
            removed = await self._removals.remove(recording_id, disk)
            self._note(call, f"recording {recording_id}", removed.words or "ok")
            yield _told(removed)

    async def _all(self, call: Call, search: Search, disk: str | None) -> AsyncIterator[ET.Element]:
        counts = {True: 0, False: 0}
        given = [f"{n}={call.arguments[n]}" for n in ("diskid", *_FILTERS) if n in call.arguments]
        target = f"recordings {' '.join(given) or 'all'}"
        outcome = "the client left"
        try:
            async for removed in self._removals.remove_all(search, disk):
                counts[not removed.words] += 1
                yield _told(removed)
            outcome = "ok"
        except NvrError as error:
            outcome = str(error)
            yield element("remove", result="ERROR", errormsg="a disk cannot be read")
        finally:
            told = f"{outcome}: {counts[True]} removed, {counts[False]} refused"
            self._note(call, target, told)

    def _note(self, call: Call, target: str, outcome: str) -> None:
        self._audit.note(call.account, call.address, "delete", target, outcome)


def _wanted(arguments: Arguments) -> Search | list[str]:
    """Read what is to go: ids, or what is to match.

    :raises WireError: nothing is said, or both; or a time that is none.
    """
    listed = arguments.get("recordingid", "").strip()
    filters = [name for name in _FILTERS if arguments.get(name)]
    if listed and filters:
        raise WireError(f"recordingid cannot be used together with {filters[0]}")
    if listed and listed != "all":
        names = [name.strip().strip('"') for name in listed.split(",")]
        return list(dict.fromkeys(name for name in names if name))
    if not listed and not filters:
        raise WireError("one of recordingid, beforetime, eventid and source is required")
    before = arguments.get("beforetime")
    return Search(
        stop_us=parse_time(before) if before else None,
        event=arguments.get("eventid") or None,
        source=arguments.get("source") or None,
        newest_first=False,
    )


def _told(removed: Removed) -> ET.Element:
    if not removed.words:
        return element("remove", recordingid=removed.recording_id, result="OK")
    return element(
        "remove", recordingid=removed.recording_id, result="ERROR", errormsg=removed.words
    )
