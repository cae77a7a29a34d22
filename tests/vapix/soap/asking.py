"""Envelopes as clients send them, and what is in the answers."""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.vapix.soap.names import ACTION, ENTRY, EVENT, PREFIXES
from tests.vapix.serving import Answered, ServingTestCase

SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
TYPE_12 = "application/soap+xml; charset=utf-8"
#: For the paths of ElementTree.
NAMES = {"s": SOAP_12, "s11": SOAP_11, **PREFIXES}


def envelope(body: str, version: str = SOAP_12) -> bytes:
    """Put elements into an envelope that declares ``aa``, ``aev``, ``aentry`` and ``wsnt``."""
    return (
        f'<s:Envelope xmlns:s="{version}" xmlns:aa="{ACTION}" xmlns:aev="{EVENT}"'
        f' xmlns:aentry="{ENTRY}" xmlns:wsnt="{PREFIXES["wsnt"]}">'
        f"<s:Header/><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


@dataclass(frozen=True)
class Fault:
    """A fault of SOAP 1.2.

    :param detail: the qualified name of the element in it; empty for none.
    :param children: what stands in that.
    """

    status: int
    code: str
    subcode: str
    reason: str
    detail: str
    children: list[ET.Element]


class SoapTestCase(ServingTestCase):
    """Asks the services as an operator."""

    def post(
        self, body: bytes, user: str = "otto", path: str = "/vapix/services", kind: str = TYPE_12
    ) -> Answered:
        """Send a body."""
        answered = self.send(path, method="POST", data=body)
        if not user or answered.status != 401:
            return answered
        authenticator = Authenticator(Credentials(user, f"pass-{user}"))
        authenticator.challenge(answered.headers["www-authenticate"])
        headers = {"Authorization": authenticator.authorization("POST", path)}
        if kind:
            headers["Content-Type"] = kind
        return self.send(path, method="POST", data=body, headers=headers)

    def done(self, body: str) -> ET.Element:
        """Ask for what is done; give the element in the body of the answer."""
        answered = self.post(envelope(body))
        self.assertEqual(answered.status, 200, answered.text)
        self.assertEqual(answered.header("Content-Type"), TYPE_12)
        return content_of(answered)

    def refused(self, body: str | bytes) -> Fault:
        """Ask for what is refused; give the fault."""
        answered = self.post(envelope(body) if isinstance(body, str) else body)
        return fault_of(self, answered)


def content_of(answered: Answered) -> ET.Element:
    """Give the element in the body."""
    root = ET.fromstring(answered.body)
    (body,) = root
    (content,) = body
    assert root.tag.endswith("}Envelope"), root.tag
    assert body.tag.endswith("}Body"), body.tag
    return content


def fault_of(case: SoapTestCase, answered: Answered) -> Fault:
    """Give the fault, made as SOAP 1.2 has it."""
    case.assertEqual(answered.header("Content-Type"), TYPE_12)
    fault = content_of(answered)
    case.assertEqual(fault.tag, f"{{{SOAP_12}}}Fault", answered.text)
    text = fault.find("s:Reason/s:Text", NAMES)
    assert text is not None, answered.text
    case.assertEqual(text.get("{http://www.w3.org/XML/1998/namespace}lang"), "en")
    case.assertTrue(text.text)
    detail = fault.find("s:Detail/*", NAMES)
    code = fault.findtext("s:Code/s:Value", "", NAMES)
    case.assertRegex(code, "^SOAP-ENV:")
    return Fault(
        answered.status,
        code.removeprefix("SOAP-ENV:"),
        fault.findtext("s:Code/s:Subcode/s:Value", "", NAMES),
        text.text or "",
        "" if detail is None else detail.tag,
        [] if detail is None else list(detail),
    )
