"""What a client sees, tested over real HTTP and HTTPS against a whole recorder, or a device."""
