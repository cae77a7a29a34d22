"""A disk of memory that fails and loses power on purpose, and what must hold after it."""
