"""SOAP envelopes, 1.2 and 1.1: what a request asks for, and the answer in the same version.

::

    Envelope
      Header ?       passed over, unless a block of it must be understood
      Body
        <operation>  one element; its qualified name says what is to be done
"""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from axis_nvr.errors import WireError
from axis_nvr.vapix.call import Reply
from axis_nvr.vapix.soap.document import Node, read_document
from axis_nvr.vapix.soap.faults import FaultCode, SoapFault, sender_fault
from axis_nvr.vapix.soap.names import ENVELOPE_11, ENVELOPE_12, PREFIXES, UNDERSTOOD
from axis_nvr.vapix.xml_stream import written

_CONTENT_TYPES = {
    ENVELOPE_12: "application/soap+xml; charset=utf-8",
    ENVELOPE_11: "text/xml; charset=utf-8",
}
_DECLARATIONS = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in PREFIXES.items())


@dataclass(frozen=True, slots=True)
class Request:
    """What an envelope holds.

    :param version: its namespace.
    :param body: None if there is a fault to be told in its place.
    """

    version: str
    body: Node | None = None
    fault: SoapFault | None = None


def read_envelope(data: bytes) -> Request:
    """Read an envelope.

    :returns: what it asks for, or why it cannot be heeded, and in which version to say so.
    """
    try:
        root = read_document(data)
    except WireError as error:
        return Request(ENVELOPE_12, fault=sender_fault(str(error)))
    if root.name != "Envelope":
        return Request(ENVELOPE_12, fault=sender_fault("an Envelope was expected"))
    if root.namespace not in _CONTENT_TYPES:
        words = f"a SOAP envelope of {ENVELOPE_12} was expected"
        return Request(ENVELOPE_12, fault=SoapFault(FaultCode.VERSION, words))
    try:
        return Request(root.namespace, _operation(root))
    except SoapFault as fault:
        return Request(root.namespace, fault=fault)


def _operation(envelope: Node) -> Node:
    version = envelope.namespace
    parts = [child for child in envelope.children if child.namespace == version]
    bodies = [part for part in parts if part.name == "Body"]
    if len(bodies) != 1 or len(bodies[0].children) != 1:
        raise sender_fault("a Body with one element was expected")
    for part in parts:
        if part.name == "Header":
            _check_understood(part, version)
    return bodies[0].children[0]


def _check_understood(header: Node, version: str) -> None:
    for block in header.children:
        demand = block.attributes.get(f"{{{version}}}mustUnderstand", "").strip()
        if demand in ("1", "true") and block.namespace not in UNDERSTOOD:
            words = f"the header {block.name} is not understood"
            raise SoapFault(FaultCode.UNDERSTAND, words)


def write_envelope(version: str, content: ET.Element, status: int = 200) -> Reply:
    """Answer with an envelope.

    :param version: the namespace of the envelope.
    :param content: stands in the body; names have our prefixes.
    """
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<SOAP-ENV:Envelope xmlns:SOAP-ENV="{version}"{_DECLARATIONS}>'
        f"<SOAP-ENV:Body>{written(content)}</SOAP-ENV:Body></SOAP-ENV:Envelope>\n"
    )
    return Reply(text.encode(), _CONTENT_TYPES[version], status)


def write_fault(version: str, fault: SoapFault) -> Reply:
    """Answer with a fault."""
    return write_envelope(version, fault.written(version), fault.status(version))
