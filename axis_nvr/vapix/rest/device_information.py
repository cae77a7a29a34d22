"""``basic-device-info/v2beta``: whether anybody may ask what this product is.

The properties themselves are told by ``basicdeviceinfo.cgi`` only.
"""

from axis_nvr.vapix.rest.api import RestApi
from axis_nvr.vapix.rest.tree import Entity, Property


def basic_device_info() -> RestApi:
    """Make the API; what anybody may ask cannot be switched off here."""
    allow = Property(
        lambda: True,
        "boolean",
        "Whether getAllUnrestrictedProperties is answered without an account",
    )
    root = Entity({"allowAnonymous": allow}, description="Basic device information")
    return RestApi("basic-device-info", "2.0.0-beta.2", root, "Basic device information", "beta")
