"""AAC out of RTP, as MP4A-LATM carries it (RFC 6416, before it RFC 3016).

::

    packet    | AudioMuxElement |, or a part of one; the marker is on the last part

The configuration is in the elements (``cpresent=1``, the default) or in the SDP.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from axis_nvr.errors import WireError
from axis_nvr.media.units import AudioFormat
from axis_nvr.session.depacketizers.aac import aac_format, frame_ticks
from axis_nvr.session.depacketizers.base import Frame
from axis_nvr.wire.latm import (
    MAX_ELEMENT_BYTES,
    StreamMuxConfig,
    parse_audio_mux_element,
    parse_stream_mux_config,
)


class LatmDepacketizer:
    """Makes frames of RTP payloads.

    :param clock_rate: of the RTP timestamp, in Hz.
    :param channels: as the rtpmap says.
    :param fmtp: the format parameters.
    """

    def __init__(self, clock_rate: int, channels: int, fmtp: Mapping[str, str]) -> None:
        self.discarded_units = 0
        self.suspected_encrypted = False
        self.format: AudioFormat | None = None
        self._clock_rate = clock_rate
        self._channels = channels
        self._in_band = fmtp.get("cpresent", "1").strip() != "0"
        self._config: StreamMuxConfig | None = None
        self._element = bytearray()
        self._timestamp: int | None = None
        self._broken = False
        self._frames: list[Frame] = []
        self._lost, self._damaged = 0, False
        with suppress(ValueError, WireError):  # or it comes in band
            self._configure(parse_stream_mux_config(bytes.fromhex(fmtp.get("config", ""))))

    def push(self, payload: memoryview, timestamp: int, marker: bool, lost: int) -> Sequence[Frame]:
        """Take one payload; the marker or another timestamp ends an element."""
        if lost:
            self._broken = self._broken or bool(self._element)
        if timestamp != self._timestamp:
            self._finish()
            self._timestamp = timestamp
        self._lost += lost
        if len(self._element) + len(payload) > MAX_ELEMENT_BYTES:
            self._broken = True
        if not self._broken:
            self._element += payload
        if marker:
            self._finish()
        frames, self._frames = self._frames, []
        return frames

    def damage(self) -> None:
        """Give up the open element."""
        self._broken = True

    def flush(self) -> Sequence[Frame]:
        """Return the last element, if it is whole."""
        self._finish()
        frames, self._frames = self._frames, []
        return frames

    def _finish(self) -> None:
        """Read the element, or throw it away: one that cannot be read is told by the next."""
        element, broken = bytes(self._element), self._broken
        self._element.clear()
        self._broken = False
        if not element and not broken:
            return
        try:
            if broken:
                raise WireError("a part is missing")
            config, frames = parse_audio_mux_element(
                element, self._config, config_in_band=self._in_band
            )
        except WireError:
            self.discarded_units += 1
            self._damaged = True
            return
        if config is not self._config:
            self._configure(config)
        assert self._timestamp is not None
        assert self.format is not None
        for index, data in enumerate(frames):
            if not data:
                continue
            timestamp = self._timestamp + frame_ticks(config.audio, self._clock_rate, index)
            self._frames.append(
                Frame(timestamp, data, True, self.format, self._lost, self._damaged)
            )
            self._lost, self._damaged = 0, False

    def _configure(self, config: StreamMuxConfig) -> None:
        self._config = config
        self.format = aac_format(config.audio_specific_config, config.audio, self._channels)
