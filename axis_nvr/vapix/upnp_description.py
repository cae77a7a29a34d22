"""What a UPnP client reads of the recorder once it has found it: description and service.

The address in it is the one by which the client reached us: it is one of ours on its own network.
"""

from collections.abc import Callable
from xml.etree import ElementTree as ET

from klein import Klein
from twisted.web.iweb import IRequest

from axis_nvr.session.ssdp import Target
from axis_nvr.vapix.bounded_site import BoundedSite
from axis_nvr.vapix.xml_cgi import element

#: Where the description is served; another port if it is taken.
PORT = 49152
PATH = "/rootdesc1.xml"
DEVICE_TYPE = "urn:schemas-upnp-org:device:Basic:1"
SERVICE_TYPE = "urn:axis-com:service:BasicNvrService:1"


def unique_device_name(serial: str) -> str:
    """Give the UDN of a recorder."""
    return f"uuid:Upnp-BasicDevice-1_0-{serial}"


def targets(serial: str) -> tuple[Target, ...]:
    """Give what can be searched for."""
    udn = unique_device_name(serial)
    types = ("upnp:rootdevice", DEVICE_TYPE, SERVICE_TYPE)
    return (Target(udn, udn), *(Target(t, f"{udn}::{t}") for t in types))


class UpnpDescription:
    """Serves the description.

    :param presentation: gives scheme and port of the web server that people open who reached us at
        an address.
    """

    _app = Klein()

    def __init__(
        self, serial: str, friendly_name: str, presentation: Callable[[str], tuple[str, int]]
    ) -> None:
        self._serial = serial
        self._friendly_name = friendly_name
        self._presentation = presentation

    @_app.route(PATH, methods=["GET", "HEAD"])
    def description(self, request: IRequest) -> bytes:
        """Describe the device."""
        address = _address(request)
        host = f"[{address}]" if ":" in address else address
        port = request.getHost().port
        service = {
            "serviceType": SERVICE_TYPE,
            "serviceId": "urn:axis-com:serviceId:BasicNvrServiceId",
            "controlURL": "/upnp/control/BasicNvrServiceId",
            "eventSubURL": "/upnp/event/BasicNvrServiceId",
            "SCPDURL": "/scpd_basic.xml",
        }
        scheme, web_port = self._presentation(address)
        device = {
            "deviceType": DEVICE_TYPE,
            "friendlyName": self._friendly_name,
            "manufacturer": "AXIS",
            "manufacturerURL": "http://www.axis.com/",
            "modelDescription": "AXIS S3008 Recorder",
            "modelName": "AXIS S3008",
            "modelNumber": "S3008",
            "modelURL": "http://www.axis.com/",
            "serialNumber": self._serial,
            "UDN": unique_device_name(self._serial),
        }
        services = element("serviceList", [element("service", _texts(service))])
        presentation = element("presentationURL", f"{scheme}://{host}:{web_port}/")
        whole = element("device", [*_texts(device), services, presentation])
        base = element("URLBase", f"http://{host}:{port}/")
        return _document(request, "root", "urn:schemas-upnp-org:device-1-0", whole, base)

    @_app.route("/scpd_basic.xml", methods=["GET", "HEAD"])
    def service(self, request: IRequest) -> bytes:
        """Describe the service: it has no actions."""
        return _document(request, "scpd", "urn:schemas-upnp-org:service-1-0")

    def site(self) -> BoundedSite:
        """Return the server's factory."""
        return BoundedSite(self._app.resource())


def _texts(texts: dict[str, str]) -> list[ET.Element]:
    return [element(name, text) for name, text in texts.items()]


def _document(request: IRequest, name: str, namespace: str, *children: ET.Element) -> bytes:
    request.setHeader("Content-Type", 'text/xml; charset="utf-8"')
    version = element("specVersion", [element("major", "1"), element("minor", "0")])
    root = element(name, [version, *children], xmlns=namespace)
    text = ET.tostring(root, encoding="unicode", short_empty_elements=False)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _address(request: IRequest) -> str:
    """Give the address of ours that the client reached."""
    host: str = request.getHost().host
    return host.removeprefix("::ffff:").partition("%")[0]
