"""How the recorder is found, in the words of Axis recorders: names, types, texts, descriptions.

A VMS tells a recorder from a camera by the service type, ``_axis-nvr._tcp`` in Bonjour and
``BasicNvrService`` in UPnP, takes the serial number from a text beside it, and the address from the
answer. What the recorder does not have is not announced.
"""

import platform
import random
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from ipaddress import ip_interface
from typing import Any

from twisted.internet.interfaces import IListeningPort

from axis_nvr.config import Config
from axis_nvr.protocols.interfaces import NetworkInterface, network_interfaces
from axis_nvr.services.discovery import Description, Discovery, Place, Upnp, places_of
from axis_nvr.session.bonjour import DnsService, instance_name
from axis_nvr.session.neighbours import Interface
from axis_nvr.session.ssdp import Identity, SsdpDevice
from axis_nvr.vapix.upnp_description import PATH, PORT, UpnpDescription, targets

PRODUCT = "AXIS S3008"
#: Entry points of VAPIX in the words of ``ep``, and where each is served.
ENTRY_POINTS = {
    "/axis-cgi/param.cgi": "param",
    "/axis-cgi/apidiscovery.cgi": "apidisc",
    "/config/discover": "decaf",
}


def make_discovery(
    reactor: Any,
    config: Config,
    serial: str,
    release: str,
    ports: Callable[[], Mapping[str, IListeningPort | None]],
    *,
    paths: Collection[str] = (),
    interfaces: Callable[[], list[NetworkInterface]] = network_interfaces,
) -> Discovery:
    """Put together what announces the recorder.

    :param ports: gives those that listen now, by ``http``, ``https`` and ``rtsp``.
    :param paths: what is served; without any of `ENTRY_POINTS` VAPIX is not announced.
    """
    entry_points = tuple(word for path, word in ENTRY_POINTS.items() if path in paths)
    name = instance_name(f"{PRODUCT} - {serial}")

    def dns_services(ports: Mapping[str, int]) -> tuple[DnsService, ...]:
        return services_at(ports, serial, name, entry_points)

    def places() -> dict[str, Place]:
        return places_of(ports())

    upnp = _upnp(reactor, serial, release, name, places) if config.ssdp else None
    host = f"axis-{serial.lower()}.local."
    return Discovery(
        reactor, host, places, dns_services, upnp, bonjour=config.mdns, interfaces=interfaces
    )


def services_at(
    ports: Mapping[str, int], serial: str, name: str, entry_points: tuple[str, ...]
) -> tuple[DnsService, ...]:
    """Say what is announced by Bonjour if these ports can be reached."""
    web = ports.get("http", ports.get("https"))
    if web is None:
        return ()
    services = [DnsService("_axis-nvr._tcp", name, web, (("macaddress", serial),))]
    for scheme in ("http", "https"):
        if scheme in ports:
            services.append(DnsService(f"_{scheme}._tcp", name, ports[scheme]))
            if entry_points:
                texts = (("txtvers", "1"), ("sn", serial), ("ep", ",".join(entry_points)))
                kind = f"_vapix-{scheme}._tcp"
                services.append(DnsService(kind, PRODUCT, ports[scheme], texts))
    if "rtsp" in ports:
        path = ("path", "axis-media/media.amp")
        services.append(DnsService("_rtsp._tcp", name, ports["rtsp"], (path,)))
    return tuple(services)


def _upnp(
    reactor: Any, serial: str, release: str, name: str, places: Callable[[], Mapping[str, Place]]
) -> Upnp:
    def presentation(address: str) -> tuple[str, int]:
        present, own = places(), ip_interface(address)
        for scheme in ("http", "https"):
            if scheme in present and present[scheme].serves(own):
                return scheme, present[scheme].port
        return "http", 80  # it has just stopped to listen

    def location(interface: Interface) -> str:
        host = f"[{interface.ip}]" if interface.version == 6 else str(interface.ip)
        return f"http://{host}:{description.port}{PATH}"

    site = UpnpDescription(serial, name, presentation).site()
    description = Description(reactor, site, PORT)
    identity = Identity(
        targets(serial),
        f"{platform.system()}/{platform.release()}, UPnP/1.0, axis_nvr/{release}",
        str(uuid.uuid4()),
        location,
    )
    boot_id = int(time.time()) & 0x7FFFFFFF
    return Upnp(SsdpDevice(identity, random.random, boot_id), description)
