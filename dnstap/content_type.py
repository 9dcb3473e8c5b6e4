"""Content type of dnstap in Frame Streams."""

__all__ = ["CONTENT_TYPE"]

CONTENT_TYPE = b"protobuf:dnstap.Dnstap"
"""Content type of streams whose payloads are Dnstap messages."""
