"""A network video recorder that a VMS drives as it drives an AXIS S3008 Recorder."""
