"""Headers of files that are tables, of which each has one."""

from framestream.errors import LocalProtocolError

__all__ = ["check_header"]


def check_header(header: bytes, first: bytes) -> None:
    """Check that a file to append to has the header of what is appended.

    Args: first: what the file begins with; empty if it is.
    Raises: LocalProtocolError.
    """
    if first and not first.startswith(header):
        got = first.partition(b"\n")[0][:200].decode(errors="replace")
        raise LocalProtocolError(f"expected the header {header.decode()[:-1]!r} in the file, got {got!r}")
