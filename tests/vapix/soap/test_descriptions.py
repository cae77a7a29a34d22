"""The descriptions of the services, held against the services."""

from importlib.resources import files
from xml.etree import ElementTree as ET

from twisted.internet.task import Clock

from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_sources.schedules import Schedules
from axis_nvr.services.event_sources.virtual_inputs import VirtualInputs
from axis_nvr.services.rules.rule_book import RuleBook
from axis_nvr.services.vault import Vault
from axis_nvr.vapix.soap import action_service, event_service
from axis_nvr.vapix.soap.action_service import ActionService
from axis_nvr.vapix.soap.entry import SERVICES, EntryService
from axis_nvr.vapix.soap.event_service import EventService
from axis_nvr.vapix.soap.services import EventParts, soap_endpoints
from axis_nvr.vapix.soap.wsdl_files import NAMES
from tests.vapix.soap.asking import SoapTestCase, envelope

WSDL = {
    "w": "http://schemas.xmlsoap.org/wsdl/",
    "b": "http://schemas.xmlsoap.org/wsdl/soap12/",
    "x": "http://www.w3.org/2001/XMLSchema",
}


class DescriptionTests(SoapTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()
        database, audit, utc = self.house.database, self.house.audit, lambda: self.house.utc
        bus = EventBus(lambda: 1)
        book = RuleBook(database, Vault(self.house.state), bus, lambda token, values: None)
        parts = EventParts(bus, Schedules(database, bus, Clock(), utc), VirtualInputs(bus), book)
        self.serve(*soap_endpoints(parts, audit, utc))
        self.services = [
            EntryService().service(),
            EventService(bus, parts.schedules, parts.inputs, audit).service(),
            ActionService(book, audit, utc).service(),
        ]
        folder = files("axis_nvr.vapix.soap").joinpath("wsdl")
        self.roots = [ET.fromstring(folder.joinpath(f"{n}.wsdl").read_bytes()) for n in NAMES]

    def test_operations(self) -> None:
        """Each operation there is is described, with its action; no other one is."""
        for root, service, told in zip(self.roots, self.services, SERVICES, strict=True):
            self.assertEqual(root.get("targetNamespace"), service.namespace)
            port = root.find("w:portType", WSDL)
            assert port is not None, "there is one"
            self.assertEqual((service.namespace, port.get("name")), told[:2])
            names = [operation.get("name") for operation in port.findall("w:operation", WSDL)]
            self.assertEqual(names, list(service.operations))
            actions = [e.get("soapAction") for e in root.findall(".//b:operation", WSDL)]
            self.assertEqual(actions, [f"{service.namespace}/{name}" for name in names])

    def test_faults(self) -> None:
        """Each fault that an error is told as is described, and belongs to an operation."""
        _, event, action = self.roots
        for root, faults in (
            (event, event_service.FAULTS.values()),
            (action, (*action_service.FAULTS.values(), *action_service.WSNT_FAULTS.values())),
        ):
            elements = {element.get("name") for element in root.iterfind(".//x:element", WSDL)}
            self.assertLessEqual(set(faults), elements)
            path = ".//w:portType/w:operation/w:fault"
            self.assertEqual(
                {fault.get("name") for fault in root.iterfind(path, WSDL)}, set(faults)
            )

    def test_they_are_complete(self) -> None:
        """Whatever is named is there: messages, elements, types, bindings."""
        for root in self.roots:
            defined = {
                (node.tag.partition("}")[2], node.get("name"))
                for node in root.iter()
                if node.get("name")
            }
            for node in root.iter():
                for attribute, kinds in (
                    ("message", ("message",)),
                    ("element", ("element",)),
                    ("ref", ("element", "attribute")),
                    ("type", ("complexType", "simpleType", "portType")),
                    ("base", ("complexType", "simpleType")),
                    ("binding", ("binding",)),
                ):
                    prefix, _, name = node.get(attribute, "").rpartition(":")
                    if name and prefix != "xs":
                        found = [kind for kind in kinds if (kind, name) in defined]
                        self.assertTrue(found, f"{attribute} {name}")

    def test_all_are_served(self) -> None:
        """Of each service an operation is done, behind one address."""
        for body in (
            "<aentry:GetServiceCapabilities/>",
            "<aev:GetEventInstances/>",
            "<aa:GetActionRules/>",
        ):
            self.assertEqual(self.post(envelope(body)).status, 200, body)
