"""SOAP faults: why a request is not done, and whose fault that is.

=============== =============== =================== ===========================================
SOAP 1.2        SOAP 1.1        HTTP status         The request
=============== =============== =================== ===========================================
Sender          Client          400 (SOAP 1.1: 500) is wrong, or names what is not there
Receiver        Server          500                 cannot be done by us
VersionMismatch VersionMismatch 500                 is of no SOAP that we know
MustUnderstand  MustUnderstand  500                 demands that we heed what we do not know
=============== =============== =================== ===========================================

Source: SOAP 1.2 Part 1 §5.4, Part 2 §7.5.1.2 (table 20); SOAP 1.1 §4.4, §6.2.
"""

from enum import StrEnum
from xml.etree import ElementTree as ET

from axis_nvr.vapix.soap.names import ENVELOPE_11
from axis_nvr.vapix.xml_cgi import element


class FaultCode(StrEnum):
    """Whose fault it is."""

    SENDER = "Sender"
    RECEIVER = "Receiver"
    VERSION = "VersionMismatch"
    UNDERSTAND = "MustUnderstand"


_SOAP_11 = {FaultCode.SENDER: "Client", FaultCode.RECEIVER: "Server"}


class SoapFault(Exception):
    """A request is not done; nothing has changed.

    :param reason: for people.
    :param detail: an element that programs look for, its name with one of our prefixes.
    :param subcode: the same in one name; that of `detail` if it is empty.
    """

    def __init__(
        self,
        code: FaultCode,
        reason: str,
        detail: ET.Element | None = None,
        *,
        subcode: str = "",
    ) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.detail = detail
        self.subcode = subcode or (detail.tag if detail is not None else "")

    def __str__(self) -> str:
        return self.reason

    def status(self, version: str) -> int:
        """Return the HTTP status of it.

        :param version: the namespace of the envelope.
        """
        is_400 = self.code is FaultCode.SENDER and version != ENVELOPE_11
        return 400 if is_400 else 500

    def written(self, version: str) -> ET.Element:
        """Return the element that stands in the body of the envelope.

        :param version: the namespace of the envelope.
        """
        return self._written_11() if version == ENVELOPE_11 else self._written_12()

    def _written_12(self) -> ET.Element:
        code = element("SOAP-ENV:Code", [element("SOAP-ENV:Value", f"SOAP-ENV:{self.code}")])
        if self.subcode:
            code.append(element("SOAP-ENV:Subcode", [element("SOAP-ENV:Value", self.subcode)]))
        text = element("SOAP-ENV:Text", self.reason, **{"xml:lang": "en"})
        fault = element("SOAP-ENV:Fault", [code, element("SOAP-ENV:Reason", [text])])
        if self.detail is not None:
            fault.append(element("SOAP-ENV:Detail", [self.detail]))
        return fault

    def _written_11(self) -> ET.Element:
        code = f"SOAP-ENV:{_SOAP_11.get(self.code, self.code)}"
        fault = element("SOAP-ENV:Fault", [element("faultcode", code)])
        fault.append(element("faultstring", self.reason))
        if self.detail is not None:
            fault.append(element("detail", [self.detail]))
        return fault


def sender_fault(reason: str, detail: ET.Element | None = None) -> SoapFault:
    """Make the fault of a request that is wrong."""
    return SoapFault(FaultCode.SENDER, reason, detail)
