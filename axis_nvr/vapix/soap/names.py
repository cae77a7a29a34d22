"""Where the SOAP services are, their namespaces, and the prefixes under which we write them."""

PATH = "/vapix/services"

ENVELOPE_12 = "http://www.w3.org/2003/05/soap-envelope"
ENVELOPE_11 = "http://schemas.xmlsoap.org/soap/envelope/"
ENTRY = "http://www.axis.com/vapix/ws/entry"
EVENT = "http://www.axis.com/vapix/ws/event1"
ACTION = "http://www.axis.com/vapix/ws/action1"
WSNT = "http://docs.oasis-open.org/wsn/b-2"
XML = "http://www.w3.org/XML/1998/namespace"

#: Those that every envelope of ours declares, beside its own, which is ``SOAP-ENV``.
PREFIXES = {
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsd": "http://www.w3.org/2001/XMLSchema",
    "wsa5": "http://www.w3.org/2005/08/addressing",
    "wsnt": WSNT,
    "wstop": "http://docs.oasis-open.org/wsn/t-1",
    "tt": "http://www.onvif.org/ver10/schema",
    "ter": "http://www.onvif.org/ver10/error",
    "tns1": "http://www.onvif.org/ver10/topics",
    "tnsaxis": "http://www.axis.com/2009/event/topics",
    "aentry": ENTRY,
    "aev": EVENT,
    "aa": ACTION,
}
#: Headers that may demand to be understood: who asks is known before the envelope is read, and
#: where an answer goes is not a question over HTTP.
UNDERSTOOD = (
    "http://www.w3.org/2005/08/addressing",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
)
