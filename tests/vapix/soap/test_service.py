"""``/vapix/services``: envelopes of all kinds, who is let in, and what is told of a mistake."""

from xml.etree import ElementTree as ET

from axis_nvr.errors import NvrError
from axis_nvr.services.accounts import Role
from axis_nvr.vapix.call import Call
from axis_nvr.vapix.soap.document import MAX_DOCUMENT_BYTES, Node
from axis_nvr.vapix.soap.entry import EntryService
from axis_nvr.vapix.soap.names import ENTRY, PREFIXES
from axis_nvr.vapix.soap.service import SoapDispatcher, SoapService
from axis_nvr.vapix.soap.wsdl_files import wsdl_endpoints
from tests.vapix.soap.asking import (
    NAMES,
    SOAP_11,
    SOAP_12,
    TYPE_12,
    SoapTestCase,
    content_of,
    envelope,
    fault_of,
)

ASK = "<aentry:GetServiceCapabilities/>"
ANSWER = f"{{{ENTRY}}}GetServiceCapabilitiesResponse"


async def _break(call: Call, body: Node) -> ET.Element:
    raise NvrError("the disk of the state is full")


class ServiceTests(SoapTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()
        broken = SoapService("urn:x", {"Break": _break}, {"SetThings"})
        dispatcher = SoapDispatcher([EntryService().service(), broken])
        self.serve(dispatcher.endpoint(Role.OPERATOR), *wsdl_endpoints())

    def test_roles(self) -> None:
        """Operators and administrators are let in, viewers get 403, nobody 401."""
        for user, status in (("otto", 200), ("ann", 200), ("vera", 403), ("", 401)):
            self.assertEqual(self.post(envelope(ASK), user).status, status, user)

    def test_query(self) -> None:
        """A query, as web clients append one, is passed over."""
        answered = self.post(envelope(ASK), path="/vapix/services?timestamp=1700000000000")
        self.assertEqual(content_of(answered).tag, ANSWER)

    def test_answer(self) -> None:
        """An envelope of the same version, that declares the prefixes which devices declare."""
        text = self.post(envelope(ASK)).text
        for prefix, uri in PREFIXES.items():
            self.assertIn(f' xmlns:{prefix}="{uri}"', text)

    def test_prefixes_are_free(self) -> None:
        """A default namespace does, and any prefix, on the operation or on the envelope."""
        for body in (
            f'<GetServiceCapabilities xmlns="{ENTRY}"/>',
            f'<zz:GetServiceCapabilities xmlns:zz="{ENTRY}"></zz:GetServiceCapabilities>',
            f"\r\n  {ASK}\r\n  ",
        ):
            self.assertEqual(self.done(body).tag, ANSWER, body)
        bare = f'<Envelope xmlns="{SOAP_12}"><Body><x:GetServiceCapabilities xmlns:x="{ENTRY}"/>'
        self.assertEqual(content_of(self.post(f"{bare}</Body></Envelope>".encode())).tag, ANSWER)

    def test_headers_of_http(self) -> None:
        """Neither content type nor action matter: some clients send none, some a wrong one."""
        form = "application/x-www-form-urlencoded"  # what curl says unless it is told otherwise
        for kind in ("application/soap+xml; action=urn:other", "text/xml", "text/plain", form, ""):
            answered = self.post(envelope(ASK), kind=kind)
            self.assertEqual(answered.status, 200, kind)
            self.assertEqual(answered.header("Content-Type"), TYPE_12)

    def test_soap_1_1(self) -> None:
        """Is answered in SOAP 1.1, faults too, which have status 500 there."""
        answered = self.post(envelope(ASK, SOAP_11))
        self.assertEqual(answered.header("Content-Type"), "text/xml; charset=utf-8")
        self.assertEqual(ET.fromstring(answered.body).tag, f"{{{SOAP_11}}}Envelope")
        self.assertEqual(content_of(answered).tag, ANSWER)
        answered = self.post(envelope("<aentry:Nonsense/>", SOAP_11))
        self.assertEqual(answered.status, 500)
        fault = content_of(answered)
        self.assertEqual(fault.tag, f"{{{SOAP_11}}}Fault")
        self.assertEqual(fault.findtext("faultcode"), "SOAP-ENV:Client")
        self.assertTrue(fault.findtext("faultstring"))

    def test_unknown_operations(self) -> None:
        """The sender's fault, also with a known name in another namespace or in none."""
        for body in (
            "<aentry:Nonsense/>",
            "<aa:GetServices/>",
            "<GetServices/>",
            "<aentry:getservices/>",
            '<GetServices xmlns="urn:y"/>',
        ):
            fault = self.refused(body)
            self.assertEqual((fault.status, fault.code), (400, "Sender"), body)

    def test_operations_that_are_not_there(self) -> None:
        """What one may well ask for and there is not is the receiver's fault."""
        fault = self.refused('<SetThings xmlns="urn:x"/>')
        self.assertEqual((fault.status, fault.code), (500, "Receiver"))
        self.assertEqual(fault.reason, "Optional action not implemented")
        self.assertEqual(fault.subcode, "ter:ActionNotSupported")

    def test_what_we_cannot_do(self) -> None:
        """Is the receiver's fault, and says why."""
        fault = self.refused('<Break xmlns="urn:x"/>')
        self.assertEqual((fault.status, fault.code), (500, "Receiver"))
        self.assertEqual(fault.reason, "the disk of the state is full")

    def test_other_versions(self) -> None:
        """An envelope of no SOAP that we know is told so, in SOAP 1.2."""
        fault = self.refused(envelope(ASK, "http://www.w3.org/2001/12/soap-envelope"))
        self.assertEqual((fault.status, fault.code), (500, "VersionMismatch"))

    def test_headers(self) -> None:
        """Are passed over; one that must be understood is refused unless it is of addressing."""
        wsa = PREFIXES["wsa5"]
        for namespace, demand, code in (
            ("urn:x", "0", ""),
            ("urn:x", "1", "MustUnderstand"),
            ("urn:x", "true", "MustUnderstand"),
            (wsa, "1", ""),
        ):
            block = f'<x:To xmlns:x="{namespace}" s:mustUnderstand="{demand}">urn:us</x:To>'
            body = envelope(ASK).replace(b"<s:Header/>", f"<s:Header>{block}</s:Header>".encode())
            answered = self.post(body)
            if code:
                fault = fault_of(self, answered)
                self.assertEqual((fault.status, fault.code), (500, code), namespace)
            else:
                self.assertEqual(content_of(answered).tag, ANSWER, namespace)

    def test_what_is_no_request(self) -> None:
        """Nothing at all, no XML, no envelope, no body, two operations: the sender's fault."""
        whole = envelope(ASK)
        for body in (
            b"",
            b"GetServices",
            b"<a/>",
            b"{}",
            whole[:-3],
            whole + b"<a/>",
            envelope(""),
            envelope(ASK + ASK),
            envelope(ASK).replace(b"s:Body", b"s:Bodies"),
            whole.replace(b"<s:Header/>", b"<s:Body/>"),
            b'<!DOCTYPE a [<!ENTITY e "x">]>' + whole,
            b"<a>" * 5000,
            b"x" * (MAX_DOCUMENT_BYTES + 1),
            '<?xml version="1.0"?>'.encode("utf-16"),
            whole.replace(b"GetServiceCapabilities", b"\xff\xfe"),
        ):
            fault = self.refused(body)
            self.assertEqual((fault.status, fault.code), (400, "Sender"), body[:100])

    def test_methods(self) -> None:
        """Requests other than POST are 405, but for the description."""
        for method in ("GET", "PUT", "DELETE"):
            answered = self.ask("/vapix/services", "otto", method=method)
            self.assertEqual(answered.status, 405, method)
        self.assertEqual(self.ask("/vapix/services", "otto").header("Allow"), "POST")


class EntryTests(SoapTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()
        self.serve(SoapDispatcher([EntryService().service()]).endpoint(Role.OPERATOR))

    def services(self, flag: str) -> ET.Element:
        body = f"<aentry:GetServices><aentry:IncludeCapability>{flag}</aentry:IncludeCapability>"
        return self.done(f"{body}</aentry:GetServices>")

    def test_get_services(self) -> None:
        """Each service by namespace, port type, address and version, in this order."""
        answer = self.services("false")
        self.assertEqual(answer.tag, f"{{{ENTRY}}}GetServicesResponse")
        found = [service.findtext("aentry:Namespace", None, NAMES) for service in answer]
        self.assertEqual(found, [PREFIXES[prefix] for prefix in ("aentry", "aev", "aa")])
        for service in answer:
            names = [child.tag.partition("}")[2] for child in service]
            self.assertEqual(names, ["Namespace", "PortType", "XAddr", "Version"])
            address = service.findtext("aentry:XAddr", None, NAMES)
            self.assertEqual(address, "http://nvr/vapix/services")
            self.assertEqual(
                [n.text for n in service.findall("aentry:Version/*", NAMES)], ["1"] * 2
            )

    def test_capabilities(self) -> None:
        """Are there if they are asked for."""
        for service in self.services(" 1 "):
            self.assertIsNotNone(service.find("aentry:Capabilities", NAMES))

    def test_mistakes(self) -> None:
        """What is missing, unknown, or no boolean is the sender's fault."""
        inner = "<aentry:IncludeCapability>{}</aentry:IncludeCapability>"
        for content in (
            "",
            inner.format("yes"),
            inner.format(""),
            inner.format("<aentry:a/>"),
            inner.format("true") * 2,
            inner.format("true") + "<aentry:Other/>",
            inner.format("true").replace("aentry", "aa"),
        ):
            fault = self.refused(f"<aentry:GetServices>{content}</aentry:GetServices>")
            self.assertEqual((fault.status, fault.code), (400, "Sender"), content)


class WsdlTests(SoapTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()
        self.serve(SoapDispatcher([]).endpoint(Role.OPERATOR), *wsdl_endpoints())

    def test_descriptions(self) -> None:
        """Each is XML, and names the address at which it was asked for, which may be TLS."""
        for path in (
            "/wsdl/vapix/EntryService.wsdl",
            "/wsdl/vapix/EventService.wsdl",
            "/wsdl/vapix/ActionService.wsdl",
            "/wsdl/vapix/VapixServices.wsdl",
            "/vapix/services?wsdl",
            "/vapix/services?WSDL",
        ):
            for scheme in ("http", "https"):
                answered = self.ask(path, "otto", scheme=scheme)
                self.assertEqual(answered.status, 200, path)
                self.assertEqual(answered.header("Content-Type"), "text/xml; charset=utf-8")
                root = ET.fromstring(answered.body)
                places = {
                    address.get("location")
                    for address in root.iter("{http://schemas.xmlsoap.org/wsdl/soap12/}address")
                }
                self.assertEqual(places, {f"{scheme}://nvr/vapix/services"})

    def test_roles(self) -> None:
        """Everybody with an account may read them."""
        path = "/wsdl/vapix/ActionService.wsdl"
        for user, status in (("vera", 200), ("", 401)):
            self.assertEqual(self.ask(path, user).status, status)

    def test_what_is_not_there(self) -> None:
        """404, whatever it is called."""
        for name in ("Other.wsdl", "..%2f..%2fentry.py", "ActionService"):
            self.assertEqual(self.ask(f"/wsdl/vapix/{name}", "otto").status, 404, name)
