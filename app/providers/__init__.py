"""The far side: codecs without I/O, the endpoint that sends and reads, and the clients it does that with."""
