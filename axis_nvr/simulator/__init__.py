"""The virtual camera: an Axis camera in software, faults included."""
