"""An index filled without any files, for searches."""

from pathlib import Path
from typing import NamedTuple

from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index, RecordingRow
from axis_nvr.storage.layout import local_stamp
from tests.storage.making import SERIAL, START_US

MINUTE_US = 60_000_000


class Drawn(NamedTuple):
    """What is drawn of a recording: times in minutes, None for one that runs."""

    start: int
    length: int | None
    device: str = "front"
    event: str = "continuous"
    group: str = ""


def recording_row(at: int, drawn: Drawn) -> RecordingRow:
    """The row of a recording; `at` makes its name its own."""
    start_us = START_US + drawn.start * MINUTE_US
    name = f"{local_stamp(start_us)}_{at:04X}_{SERIAL}"
    stop_us = None if drawn.length is None else start_us + drawn.length * MINUTE_US
    return RecordingRow(
        recording_id=name,
        start_us=start_us,
        stop_us=stop_us,
        recording_type="continuous" if drawn.event == "continuous" else "triggered",
        source="1",
        event=drawn.event,
        action=drawn.event,
        device=drawn.device,
        stream_options=f"device={drawn.device}",
        group=drawn.group,
    )


def fill(path: Path, drawn: list[Drawn]) -> tuple[Index, list[RecordingRow]]:
    """Make an index of these recordings, without blocks."""
    index = Index.open(Files(), path, START_US)
    rows = [recording_row(at, one) for at, one in enumerate(drawn)]
    with index.transaction():
        for row in rows:
            index.add_recording(row)
    return index, rows
