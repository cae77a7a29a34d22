"""Descriptions of the services (WSDL 1.1) for programs that make clients of them.

They are files of the package; the address that they name is the one by which we were asked.
"""

from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

from axis_nvr.services.accounts import Role
from axis_nvr.vapix.call import Call, Endpoint, Reply, html_reply

NAMES = ("EntryService", "EventService", "ActionService")
#: The description that has all services in it.
WHOLE = "VapixServices"
PATH = "/wsdl/vapix/"
#: What stands in the files in place of our address.
_PLACEHOLDER = "http://localhost"


def wsdl_endpoints() -> tuple[Endpoint, ...]:
    """Return what serves the descriptions."""
    return tuple(
        Endpoint(f"{PATH}{name}.wsdl", _answer, Role.VIEWER, ("GET",)) for name in (*NAMES, WHOLE)
    )


async def answer_query(call: Call) -> Reply:
    """Answer ``?wsdl`` at the services themselves; there is nothing else to be got."""
    if not any(name.lower() == "wsdl" for name in call.arguments):
        return html_reply("<p>405 Method Not Allowed</p>", 405, ("Allow", "POST"))
    return _reply(call, WHOLE)


def site_of(call: Call) -> str:
    """Give our address as the client has it, such as ``http://192.168.0.90:8080``."""
    return f"{'https' if call.is_secure else 'http'}://{call.host or 'localhost'}"


async def _answer(call: Call) -> Reply:
    return _reply(call, call.path.removeprefix(PATH).removesuffix(".wsdl"))


def _reply(call: Call, name: str) -> Reply:
    site = escape(site_of(call), {'"': "&quot;"})
    text = _text(name).replace(f'location="{_PLACEHOLDER}/', f'location="{site}/')
    return Reply(text.encode(), "text/xml; charset=utf-8")


@cache
def _text(name: str) -> str:
    return Path(__file__).with_name("wsdl").joinpath(f"{name}.wsdl").read_text(encoding="utf-8")
