"""The way to a client of protected media: packets are encrypted and signed before they go."""

from collections.abc import Sequence

from axis_nvr.protocols.presentation import IDelivery
from axis_nvr.session.srtp import SrtpSender


class ProtectedDelivery:
    """An `IDelivery` in front of another one.

    :param delivery: takes what is protected.
    :param sender: of this client and track only.
    """

    def __init__(self, delivery: IDelivery, sender: SrtpSender) -> None:
        self._delivery = delivery
        self._sender = sender
        self.payload_limit = delivery.payload_limit - sender.overhead_bytes

    def send(self, packets: Sequence[bytes]) -> bool:
        """Send the packets of one frame."""
        return self._delivery.send([self._sender.protect(packet) for packet in packets])

    def send_report(self, data: bytes) -> None:
        """Send one RTCP compound."""
        self._delivery.send_report(self._sender.protect_rtcp(data))

    def send_partly(self, packet: bytes, size: int) -> None:
        """Send a packet that is cut off."""
        self._delivery.send_partly(self._sender.protect(packet), size)

    def disconnect(self) -> None:
        """End the connection of this client."""
        self._delivery.disconnect()
