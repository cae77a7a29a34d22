"""``POST /vapix/services``: a request goes to the operation that its body names.

The name of the first element in the body counts, namespace and all; neither the action of the
content type nor ``SOAPAction`` does, and a query is passed over.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from axis_nvr.errors import NvrError
from axis_nvr.services.accounts import Role
from axis_nvr.vapix.call import Call, Endpoint, Reply
from axis_nvr.vapix.soap.document import Node
from axis_nvr.vapix.soap.envelope import read_envelope, write_envelope, write_fault
from axis_nvr.vapix.soap.faults import FaultCode, SoapFault, sender_fault
from axis_nvr.vapix.soap.names import PATH
from axis_nvr.vapix.soap.wsdl_files import answer_query

#: Does what an element asks for, and answers with another one. It raises `SoapFault`; any other
#: error of ours that it lets through is told as one of the receiver.
Operation = Callable[[Call, Node], Awaitable[ET.Element]]


@dataclass(frozen=True, slots=True)
class SoapService:
    """Operations of one namespace.

    :param absent: names of operations that one may well ask for, but which there are not.
    """

    namespace: str
    operations: Mapping[str, Operation]
    absent: Collection[str] = ()


class SoapDispatcher:
    """Answers requests to all services."""

    def __init__(self, services: Iterable[SoapService]) -> None:
        self._services = {service.namespace: service for service in services}

    async def answer(self, call: Call) -> Reply:
        """Answer one request, in the version of SOAP in which it came."""
        if call.method == "GET":
            return await answer_query(call)
        request = read_envelope(call.body)
        try:
            if request.fault is not None:
                raise request.fault
            assert request.body is not None, "there is one or the other"
            return write_envelope(request.version, await self._do(call, request.body))
        except SoapFault as fault:
            return write_fault(request.version, fault)
        except NvrError as error:
            return write_fault(request.version, SoapFault(FaultCode.RECEIVER, str(error)))

    async def _do(self, call: Call, body: Node) -> ET.Element:
        service = self._services.get(body.namespace)
        operation = service.operations.get(body.name) if service else None
        if operation is not None:
            return await operation(call, body)
        if service is not None and body.name in service.absent:
            words = "Optional action not implemented"
            raise SoapFault(FaultCode.RECEIVER, words, subcode="ter:ActionNotSupported")
        raise sender_fault(f"Method {body.name} of {body.namespace or 'no namespace'} is not known")

    def endpoint(self, role: Role) -> Endpoint:
        """Return what serves them."""
        return Endpoint(PATH, self.answer, role)
