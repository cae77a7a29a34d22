"""The event, action and entry services: SOAP at ``/vapix/services``."""
