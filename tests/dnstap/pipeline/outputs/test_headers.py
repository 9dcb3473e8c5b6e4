"""Headers of tables: what may be appended to."""

from __future__ import annotations

import pytest

from dnstap.pipeline.outputs.headers import check_header
from framestream import LocalProtocolError


def test_headers() -> None:
    for first in (b"", b"a,b\n", b"a,b\n1,2\n"):
        check_header(b"a,b\n", first)
    check_header(b"", b"anything")
    for first, got in ((b"a,b", "'a,b'"), (b"a,b,c\n1", "'a,b,c'"), (b"\xff" * 300, "'" + "\ufffd" * 200 + "'")):
        with pytest.raises(LocalProtocolError, match=f"^expected the header 'a,b' in the file, got {got}$"):
            check_header(b"a,b\n", first)
