"""The HTTP face: parse, call a service, format."""
