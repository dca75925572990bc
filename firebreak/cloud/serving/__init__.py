"""The embedded AWS over HTTP on loopback, and the processes that run uploaded functions."""
