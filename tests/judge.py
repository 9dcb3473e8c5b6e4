"""Google's protobuf as an independent judge: its classes for our schema, and how its messages compare with ours."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from grpc_tools import protoc

from dnstap.schema.enums import OpenEnum

if TYPE_CHECKING:
    import betterproto2

__all__ = ["cpp_refuses", "differing_field", "google", "google_parse"]

DOCS = Path(__file__).parents[1] / "docs"


@cache
def google(name: str) -> type[Message]:
    """Return Google's class for a message of docs/dnstap.proto: "Dnstap", "Message" or "Policy"."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"dnstap.{name}"))


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "dnstap.desc"
        status = protoc.main(["protoc", f"-I{DOCS}", f"--descriptor_set_out={compiled}", "dnstap.proto"])
        assert status == 0
        files = descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


def google_parse(name: str, data: bytes) -> Message | None:
    """Return the message that Google decodes, with or without required fields; None if it refuses the bytes."""
    try:
        return google(name).FromString(data)
    except DecodeError:
        return None


def cpp_refuses(name: str, data: bytes) -> bool:
    """Return whether Google's C++ refuses the bytes: unlike Google's Python, it checks unknown groups.

    It takes a process, so use it only if our codec and `google_parse` disagree.
    """
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{DOCS}", f"--decode=dnstap.{name}", "dnstap.proto"]
    process = subprocess.run(command, input=data, capture_output=True, check=False)
    assert (process.returncode == 0) is (b"Failed to parse input" not in process.stderr), process.stderr
    return process.returncode != 0


def differing_field(ours: betterproto2.Message, theirs: Any) -> str | None:
    """Return the first field in which two messages differ, None if there is none.

    A number that its enum does not name is a value of ours, but an unknown field of Google's, which keeps an earlier
    value: that is no difference.
    """
    for field in theirs.DESCRIPTOR.fields:
        mine = getattr(ours, field.name)
        if isinstance(mine, OpenEnum) and not mine.name:
            continue
        if not theirs.HasField(field.name):
            if mine is not None:
                return str(field.name)
        elif field.message_type is not None:
            inner = mine is None or differing_field(mine, getattr(theirs, field.name))
            if inner:
                return f"{field.name}.{inner}"
        else:
            value = getattr(theirs, field.name)
            # Google gives text that is no UTF-8 as bytes.
            value = (
                value.decode("utf-8", "surrogateescape") if isinstance(mine, str) and type(value) is bytes else value
            )
            if mine != value:
                return str(field.name)
    return None
