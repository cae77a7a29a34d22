"""The entry service: which services there are."""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from axis_nvr.vapix.call import Call
from axis_nvr.vapix.soap.document import Node
from axis_nvr.vapix.soap.fields import Fields, nothing
from axis_nvr.vapix.soap.names import ACTION, ENTRY, EVENT, PATH
from axis_nvr.vapix.soap.service import SoapService
from axis_nvr.vapix.soap.wsdl_files import site_of
from axis_nvr.vapix.xml_cgi import element

#: Namespace, port type and version of each service. AXIS OS 8 to 11 tell version 1.1 of all three.
SERVICES = (
    (ENTRY, "EntryPortType", (1, 1)),
    (EVENT, "EventPortType", (1, 1)),
    (ACTION, "ActionPortType", (1, 1)),
)


class EntryService:
    """Serves the operations of the entry service."""

    def service(self) -> SoapService:
        """Return them by their names."""
        return SoapService(
            ENTRY,
            {
                "GetServices": self.get_services,
                "GetServiceCapabilities": self.get_service_capabilities,
            },
        )

    async def get_services(self, call: Call, body: Node) -> ET.Element:
        """List the services; none of them has capabilities that could be told."""
        with_capabilities = Fields(body, ("IncludeCapability",)).boolean("IncludeCapability")
        place = f"{site_of(call)}{PATH}"
        return element(
            "aentry:GetServicesResponse",
            [
                element("aentry:Service", _described(*service, place, with_capabilities))
                for service in SERVICES
            ],
        )

    async def get_service_capabilities(self, call: Call, body: Node) -> ET.Element:
        """Tell the capabilities of this service: it has none."""
        nothing(body)
        return element("aentry:GetServiceCapabilitiesResponse", [element("aentry:Capabilities")])


def _described(
    namespace: str, port_type: str, version: tuple[int, int], place: str, with_capabilities: bool
) -> Iterable[ET.Element]:
    major, minor = version
    yield element("aentry:Namespace", namespace)
    yield element("aentry:PortType", port_type)
    yield element("aentry:XAddr", place)
    yield element(
        "aentry:Version",
        [element("aentry:Major", str(major)), element("aentry:Minor", str(minor))],
    )
    if with_capabilities:
        yield element("aentry:Capabilities")
