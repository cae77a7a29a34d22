"""The XML CGIs: replies of the old style and of the schema style, errors, schema versions.

Old style (disk management, recording)::

    <root xmlns:xsi="…" xsi:noNamespaceSchemaLocation="http://www.axis.com/vapix/http_cgi/…">
      <record recordingid="…" result="OK"/>
    </root>

Schema style (all the others); element names and codes differ from API to API, so each has an
`XmlFamily`::

    <DeviceResponse SchemaVersion="2.1" xmlns:xsi="…" xsi:noNamespaceSchemaLocation="…">
      <GeneralError><ErrorCode>90</ErrorCode><Description>No device</Description></GeneralError>
    </DeviceResponse>

Errors of an API are answered with HTTP 200.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from axis_nvr.errors import NvrError
from axis_nvr.services.accounts import Role
from axis_nvr.vapix.call import Call, Endpoint, Reply
from axis_nvr.wire.xml_text import xml_text

XSI = "http://www.w3.org/2001/XMLSchema-instance"
SCHEMAS = "http://www.axis.com/vapix/http_cgi/"

_VERSION = re.compile(r"([0-9]{1,4})(?:\.[0-9x]{1,4})?", re.ASCII)


def element(
    name: str, content: str | Iterable[ET.Element] = (), /, **attributes: str
) -> ET.Element:
    """Make an element of text or of other elements; characters that XML cannot hold are replaced.

    :param attributes: in the order in which they are written.
    """
    made = ET.Element(name, {key: xml_text(value) for key, value in attributes.items()})
    if isinstance(content, str):
        made.text = xml_text(content) or None
    else:
        made.extend(content)
    return made


def document(root: ET.Element) -> Reply:
    """Answer with a document."""
    text = ET.tostring(root, encoding="unicode", short_empty_elements=True)
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return Reply(f"{declaration}{text}\n".encode(), "text/xml; charset=utf-8")


def old_style(schema: str, *children: ET.Element) -> Reply:
    """Answer in the old style.

    :param schema: below `SCHEMAS`, such as ``recording/list1.xsd``.
    """
    root = ET.Element("root", {"xmlns:xsi": XSI, "xsi:noNamespaceSchemaLocation": SCHEMAS + schema})
    root.extend(children)
    return document(root)


class XmlError(NvrError):
    """An API cannot do what it was asked for.

    :param code: of its API.
    :param words: in place of those that the API has for the code.
    """

    def __init__(self, code: int, words: str = "") -> None:
        super().__init__(code, words)
        self.code = code
        self.words = words


#: Answers a call with what stands in the root, or with something that is no XML.
Content = Callable[[Call], Awaitable[ET.Element | Reply]]
#: Says what an API answers for an error of a service.
ErrorReading = Callable[[NvrError], XmlError]


def by_class(
    codes: Mapping[type[NvrError], int], otherwise: int, *, with_words: bool = False
) -> ErrorReading:
    """Read errors of the services by what they are.

    :param otherwise: the code of all that `codes` does not have.
    :param with_words: whether such an error is told in its own words.
    """

    def read(error: NvrError) -> XmlError:
        code = codes.get(type(error))
        if code is None:
            return XmlError(otherwise, str(error) if with_words else "")
        return XmlError(code)

    return read


@dataclass(frozen=True, slots=True)
class XmlFamily:
    """An API of the schema style.

    :param versions: every schema version, oldest first, such as ``("1.0", "1.1")``.
    :param texts: what each error code means.
    :param read_error: gives the services' errors their codes.
    :param unsupported_version: the code for a schema version that is none of these.
    :param text_element: the sibling of ``ErrorCode``.
    :param error_within: elements around ``GeneralError``, outermost first.
    :param success_within: elements around what is answered.
    :param version_attribute: how the root tells the version.
    :param location: attributes of the root behind ``xmlns:xsi``.
    :param tells_deprecated: whether the list of versions does.
    """

    root: str
    versions: Sequence[str]
    texts: Mapping[int, str]
    location: Mapping[str, str]
    read_error: ErrorReading
    unsupported_version: int = 40
    text_element: str = "ErrorDescription"
    error_within: Sequence[str] = ()
    success_within: Sequence[str] = ()
    version_attribute: str = "SchemaVersion"
    tells_deprecated: bool = True

    def endpoint(
        self, path: str, content: Content, role: Role, *, versioned: bool = True
    ) -> Endpoint:
        """Return what serves a method.

        :param versioned: whether it takes ``schemaversion``.
        """

        async def answer(call: Call) -> Reply:
            try:
                if versioned:
                    self._check_version(call)
                answered = await content(call)
                if isinstance(answered, Reply):
                    return answered
                return self.reply(_within(answered, self.success_within))
            except XmlError as error:
                return self.error(error)
            except NvrError as error:
                return self.error(self.read_error(error))

        return Endpoint(path, answer, role)

    def versions_endpoint(self, path: str, role: Role) -> Endpoint:
        """Return what serves ``schemaversions.cgi``."""

        async def content(call: Call) -> ET.Element:
            return element("SchemaVersionsSuccess", [self._version(v) for v in self.versions])

        return self.endpoint(path, content, role, versioned=False)

    def reply(self, content: ET.Element) -> Reply:
        """Answer with what stands in the root."""
        attributes = {self.version_attribute: self.versions[-1], "xmlns:xsi": XSI, **self.location}
        root = ET.Element(self.root, attributes)
        root.append(content)
        return document(root)

    def error(self, error: XmlError) -> Reply:
        """Answer with an error."""
        words = error.words or self.texts[error.code]
        code = element("ErrorCode", str(error.code))
        general = element("GeneralError", [code, element(self.text_element, words)])
        return self.reply(_within(general, self.error_within))

    def _version(self, version: str) -> ET.Element:
        children = [element("VersionNumber", version)]
        if self.tells_deprecated:
            children.append(element("Deprecated", "false"))
        return element("SchemaVersion", children)

    def _check_version(self, call: Call) -> None:
        """Make sure that the major version is one of ours; none at all means the newest."""
        asked = call.arguments.get("schemaversion")
        if asked is None:
            return
        match = _VERSION.fullmatch(asked.strip())
        if match is None or not any(v.partition(".")[0] == match[1] for v in self.versions):
            raise XmlError(self.unsupported_version)


def _within(content: ET.Element, names: Sequence[str]) -> ET.Element:
    for name in reversed(names):
        content = element(name, [content])
    return content
