"""``list.cgi``: recordings, and the events and sources that they are of.

::

    GET /axis-cgi/record/list.cgi?recordingid=all&maxnumberofresults=100&startatresultnumber=101

Results are numbered from 1; 0 means the first as well. What cannot be answered is an empty list
with an attribute ``errormsg``, as no error is documented. ``deviceid``, the external id of the
device of a recording, is an addition.
"""

import re
from collections.abc import AsyncIterator
from datetime import tzinfo
from functools import lru_cache
from xml.etree import ElementTree as ET

from twisted.logger import Logger

from axis_nvr.errors import NvrError, WireError
from axis_nvr.services.accounts import Role
from axis_nvr.services.library import Library
from axis_nvr.services.recordings import Recordings
from axis_nvr.services.search import PAGE, Hit, Results
from axis_nvr.storage.index import MediaRow
from axis_nvr.storage.reading.catalogue import events, sources
from axis_nvr.storage.reading.search import Search
from axis_nvr.vapix.arguments import Arguments
from axis_nvr.vapix.call import Call, Endpoint, Reply, html_reply
from axis_nvr.vapix.edge_storage.times import parse_time, time_texts
from axis_nvr.vapix.xml_cgi import element, old_style
from axis_nvr.vapix.xml_stream import streamed

SCHEMA = "recording/list1.xsd"
_PATH = "/axis-cgi/record/list.cgi"
_ORDERS = {"": True, "descending": True, "ascending": False}
_PROPERTY = re.compile(r'"([a-z]+)"="([^"\n]*)"')
#: Attributes of a track, in order.
_VIDEO = ("framerate", "resolution", "width", "height")
_AUDIO = ("bitrate", "samplerate")


class RecordingList:
    """Serves it.

    :param zone: whose local time is told; None is the zone of this machine.
    """

    log = Logger()

    def __init__(
        self, library: Library, recordings: Recordings, zone: tzinfo | None = None
    ) -> None:
        self._library = library
        self._recordings = recordings
        self._zone = zone

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return what serves it."""
        return (Endpoint(_PATH, self.list, Role.VIEWER),)

    async def list(self, call: Call) -> Reply:
        """List what is asked for; a disk that cannot be read is no disk without recordings: 503."""
        try:
            return await self._list(call)
        except NvrError as error:
            self.log.error("recordings cannot be listed: {error}", error=str(error))
            return html_reply("<p>A disk cannot be read at the moment.</p>", 503)

    async def _list(self, call: Call) -> Reply:
        entity = call.arguments.get("listentity") or "recording"
        if entity in ("recording", "recordingid"):
            return await self._recordings_of(call.arguments)
        if entity in ("eventid", "source"):
            return await self._names(entity, call.arguments.get("diskid") or None)
        return await self._nothing("listentity: recording, eventid or source was expected", None)

    async def _names(self, entity: str, disk: str | None) -> Reply:
        question = events if entity == "eventid" else sources
        names: set[str] = set()
        for shelf in self._library.chosen(disk):
            names.update(await shelf.reader.ask(question))
        listed = (element(entity, name) for name in sorted(names))
        return old_style(SCHEMA, element(f"{entity}s", listed))

    async def _nothing(self, words: str, disk: str | None) -> Reply:
        total = str(await self._library.count(disk))
        counts = {"totalnumberofrecordings": total, "numberofrecordings": "0"}
        return old_style(SCHEMA, element("recordings", **counts, errormsg=words))

    async def _recordings_of(self, arguments: Arguments) -> Reply:
        disk = arguments.get("diskid") or None
        try:
            search = search_of(arguments)
            limit = _number(arguments, "maxnumberofresults")
            first = _number(arguments, "startatresultnumber") or 1
        except WireError as error:
            return await self._nothing(str(error), disk)
        page = PAGE if limit is None else limit
        results = Results(self._library.chosen(disk), search, page)
        total, number = await self._library.count(disk), await results.count()
        listed = element(
            "recordings", totalnumberofrecordings=str(total), numberofrecordings=str(number)
        )
        if first > number or limit == 0:
            return old_style(SCHEMA, listed)
        await results.skip(first - 1)
        return streamed(SCHEMA, self._listed(results, limit), listed)

    async def _listed(self, results: Results, limit: int | None) -> AsyncIterator[ET.Element]:
        given = 0
        async for hit in results:
            yield self._described(hit)
            given += 1
            if given == limit:
                return

    def _described(self, hit: Hit) -> ET.Element:
        row, recordings = hit.found.row, self._recordings
        stop_us, status = row.stop_us, "completed"
        if stop_us is None:
            is_written = recordings.run_of(row.recording_id) is not None
            status = "recording" if is_written else "unknown"
            stop_us = recordings.written_until(row.recording_id)
            if stop_us is not None and row.start_us is not None and stop_us < row.start_us:
                stop_us = None  # of the recording before it
        start, start_local = self._times(row.start_us)
        stop, stop_local = self._times(stop_us)
        tracks = [
            *([] if row.video is None else [_track("video", row.video, _VIDEO)]),
            *([] if row.audio is None else [_track("audio", row.audio, _AUDIO)]),
        ]
        return element(
            "recording",
            tracks,
            diskid=hit.shelf.disk,
            recordingid=row.recording_id,
            starttime=start,
            starttimelocal=start_local,
            stoptime=stop,
            stoptimelocal=stop_local,
            recordingtype=row.recording_type,
            eventid=row.event,
            eventtrigger=row.action,
            recordingstatus=status,
            source=row.source,
            locked="Yes" if hit.found.locked else "No",
            deviceid=row.device,
        )

    def _times(self, utc_us: int | None) -> tuple[str, str]:
        return ("", "") if utc_us is None else time_texts(utc_us, self._zone)


@lru_cache(256)
def _track(name: str, row: MediaRow, wanted: tuple[str, ...]) -> ET.Element:
    """Describe a track; many recordings share one."""
    properties = dict(_PROPERTY.findall(row.properties))
    told = {key: properties[key] for key in wanted if key in properties}
    return element(name, mimetype=row.mime_type, **told)


def search_of(arguments: Arguments) -> Search:
    """Read what is searched for.

    :raises WireError: a value is none, or there is no recordingid, starttime and stoptime.
    """
    recording_id = arguments.get("recordingid", "").strip().strip('"')
    start, stop = arguments.get("starttime"), arguments.get("stoptime")
    if not (recording_id or start or stop):
        raise WireError("one of recordingid, starttime and stoptime is required")
    order = arguments.get("sortorder", "")
    if order not in _ORDERS:
        raise WireError("sortorder: ascending or descending was expected")
    return Search(
        recording_id=None if recording_id in ("", "all") else recording_id,
        start_us=parse_time(start) if start else None,
        stop_us=parse_time(stop) if stop else None,
        event=arguments.get("eventid") or None,
        source=arguments.get("source") or None,
        newest_first=_ORDERS[order],
    )


def _number(arguments: Arguments, name: str) -> int | None:
    text = arguments.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise WireError(f"{name}: a number was expected")
    return int(text)
