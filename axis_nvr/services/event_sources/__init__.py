"""What makes the recorder's own events, one module for each kind."""
