"""What a list of recordings says of each of them."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from axis_nvr.errors import WireError
from axis_nvr.storage.index import Index, MediaRow, RecordingRow
from axis_nvr.storage.layout import parse_utc

#: Tells whether anything of ``recordings r`` is locked.
LOCKED = "EXISTS (SELECT 1 FROM nvr_locks l WHERE l.recording_id = r.id)"


@dataclass(frozen=True, slots=True)
class Found:
    """A recording that was found.

    :param number: its id in the index, by which others of its tables know it.
    :param locked: whether anything of it is locked.
    """

    number: int
    row: RecordingRow
    locked: bool


_DESCRIPTION = f"""
SELECT r.id, r.filename, r.starttime, r.stoptime, t.recording_type, s.source_name, e.event_name,
    a.action_name, v.videos_type, v.videos_properties, u.audios_type, u.audios_properties,
    n.device, n.stream_options, n.group_token, {LOCKED}
FROM recordings r
LEFT JOIN recording_types t ON t.id = r.recording_type_id
LEFT JOIN recording_sources s ON s.id = r.recording_source_id
LEFT JOIN recording_events e ON e.id = r.recording_event_id
LEFT JOIN recording_actions a ON a.id = r.recording_action_id
LEFT JOIN videos v ON v.id = r.video_id
LEFT JOIN audios u ON u.id = r.audio_id
LEFT JOIN nvr_recordings n ON n.recording_id = r.id
WHERE r.id IN
"""  # noqa: S608 - nothing from outside is in it


def describe(index: Index, numbers: Sequence[int]) -> Iterator[Found]:
    """Say what the index says of recordings, a page of them at most.

    One that is gone meanwhile is left out.
    """
    if not numbers:
        return
    marks = ", ".join("?" for _ in numbers)
    rows = {row[0]: row for row in index.query(f"{_DESCRIPTION} ({marks})", *numbers)}
    for number in numbers:
        if number in rows:
            row = rows[number]
            yield Found(number, _recording_row(row[1:15]), bool(row[15]))


def _recording_row(row: tuple[str | None, ...]) -> RecordingRow:
    name, start, stop, kind, source, event, action, *more = row
    video, video_more, audio, audio_more, device, options, group = more
    return RecordingRow(
        recording_id=name or "",
        start_us=_time(start),
        stop_us=_time(stop),
        recording_type=kind or "",
        source=source or "",
        event=event or "",
        action=action or "",
        video=None if video is None else MediaRow(video, video_more or ""),
        audio=None if audio is None else MediaRow(audio, audio_more or ""),
        device=device or "",
        stream_options=options or "",
        group=group or "",
    )


def _time(text: str | None) -> int | None:
    """Read a time; one that another writer got wrong is as good as none."""
    with suppress(WireError):
        return None if text is None else parse_utc(text)
    return None
