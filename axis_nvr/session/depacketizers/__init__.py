"""Depacketizers: RTP payloads of one track into frames."""

from axis_nvr.session.depacketizers.base import Depacketizer, Frame
from axis_nvr.session.depacketizers.choose import depacketizer_for

__all__ = ["Depacketizer", "Frame", "depacketizer_for"]
