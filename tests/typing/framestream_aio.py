"""framestream.aio: each call can be awaited, and used in `async with`."""

from pathlib import Path
from typing import assert_type

from framestream import EncodedFrames, aio


async def read(path: Path) -> None:
    reader = await aio.open_reader("tcp:localhost:8053", [b"type"])
    assert_type(reader, aio.Reader)
    assert_type([payload async for payload in reader], list[bytes])
    assert_type([batch async for batch in reader.batches()], list[list[bytes]])
    assert_type([frames async for frames in reader.encoded()], list[EncodedFrames])
    async with aio.read_file(path, follow=True) as from_file:
        assert_type(from_file, aio.Reader)
    aio.open_reader(path).batches()  # type: ignore[attr-defined]
    await aio.read_file(3)  # type: ignore[arg-type]


async def write(path: Path) -> None:
    async with aio.open_writer(path, [b"type"]) as writer:
        assert_type(writer, aio.Writer)
        await writer.write(b"payload")
        await writer.write("text")  # type: ignore[arg-type]
    assert_type(await aio.write_file(path, mode="new"), aio.Writer)
    assert_type(aio.ReconnectingWriter(lambda: aio.open_writer(path)).dropped, int)
    aio.ReconnectingWriter(lambda: aio.open_writer(path), report=print)
    aio.ReconnectingWriter(lambda: aio.open_writer(path), report=path)  # type: ignore[arg-type]


async def listen(path: Path) -> None:
    async with aio.listen_reader(path) as listener:
        assert_type(listener, aio.Listener[aio.Reader])
        assert_type(await listener.accept(), aio.Reader)
        assert_type([reader async for reader in listener], list[aio.Reader])
    assert_type(await aio.listen_writer(path), aio.Listener[aio.Writer])


async def handle(reader: aio.Reader) -> None:
    assert_type(reader.frames, int)


async def serve(path: Path) -> None:
    await aio.serve(path, handle)
    await aio.serve(path, handle, started=lambda listener: assert_type(listener.stop(), None))
    await aio.serve(path, print)  # type: ignore[arg-type]
