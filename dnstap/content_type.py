"""The name by which Frame Streams peers know dnstap."""

__all__ = ["CONTENT_TYPE"]

CONTENT_TYPE = b"protobuf:dnstap.Dnstap"
"""The content type of streams whose payloads are Dnstap messages."""
