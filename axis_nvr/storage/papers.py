"""What tells of a recording beside its media: its XML, its blocks' XML, its row in the index."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from axis_nvr.storage.files import replace_file, storage_errors
from axis_nvr.storage.index import RecordingRow
from axis_nvr.storage.layout import RECORDING_XML, recording_folder
from axis_nvr.storage.place import Place
from axis_nvr.storage.stream_tracks import StreamTracks
from axis_nvr.storage.xml import BlockXml, RecordingXml, build_block, build_recording


@dataclass(frozen=True, slots=True)
class RecordingDetails:
    """What is known of a recording before its first picture.

    :param device: external id of the device it is of.
    :param stream_options: the effective stream options.
    :param source_token: number of the camera on a product with several, else 1.
    :param trigger_type: ``continuous`` or ``triggered``.
    :param trigger_name: name of the rule or configuration (``eventid`` of ``list.cgi``).
    :param trigger_trigger: name of the action (``eventtrigger`` of ``list.cgi``).
    :param group: token of its recording group, empty without one.
    :param frame_rate: pictures a second that were asked for, None if unknown; what the stream says
        of itself goes before it.
    """

    device: str
    stream_options: str
    source_token: int = 1
    trigger_type: str = "continuous"
    trigger_name: str = "continuous"
    trigger_trigger: str = "continuous"
    group: str = ""
    frame_rate: Fraction | None = None


class Papers:
    """Writes the XML of one recording and its blocks; each file whole or not at all, and durable.

    :ivar folder: the recording's.
    """

    def __init__(self, place: Place, recording_id: str, details: RecordingDetails) -> None:
        self.folder = recording_folder(place.folder, recording_id)
        self._place = place
        self._recording_id = recording_id
        self._details = details

    def write_block(self, xml: BlockXml, path: Path) -> None:
        """Put a block's XML beside its media.

        :param path: the media's.
        :raises StorageError: it is not there, or not durable.
        """
        self._replace(path.with_suffix(".xml"), build_block(xml))

    def write_recording(self, streams: StreamTracks, start_us: int, stop_us: int | None) -> None:
        """Put ``recording.xml`` in place.

        :param stop_us: None while it runs.
        :raises StorageError: it is not there, or not durable.
        """
        details = self._details
        xml = RecordingXml(
            recording_id=self._recording_id,
            start_us=start_us,
            stop_us=stop_us,
            group=details.group,
            source_token=details.source_token,
            tracks=streams.xml(),
            trigger_trigger=details.trigger_trigger,
            trigger_name=details.trigger_name,
            trigger_type=details.trigger_type,
            device=details.device,
            stream_options=details.stream_options,
        )
        self._replace(self.folder / RECORDING_XML, build_recording(xml))

    def has_recording_xml(self) -> bool:
        """Tell whether ``recording.xml`` is there."""
        return self._place.files.exists(self.folder / RECORDING_XML)

    def _replace(self, path: Path, data: bytes) -> None:
        with storage_errors(path, "write"):
            replace_file(self._place.files, path, data)
            self._place.files.sync_folder(path.parent)

    def row(self, streams: StreamTracks, start_us: int) -> RecordingRow:
        """Give the recording's row while it runs."""
        details = self._details
        return RecordingRow(
            recording_id=self._recording_id,
            start_us=start_us,
            stop_us=None,
            recording_type=details.trigger_type,
            source=str(details.source_token),
            event=details.trigger_name,
            action=details.trigger_trigger,
            video=streams.video_row(),
            audio=streams.audio_row(),
            device=details.device,
            stream_options=details.stream_options,
            group=details.group,
        )
