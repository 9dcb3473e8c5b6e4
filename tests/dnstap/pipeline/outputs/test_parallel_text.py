"""Text by several processes: equal to that of one process, and no process is left over."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import re
import signal
import subprocess
import sys
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dnstap.cli.main import main
from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.outputs import parallel_text as parallel
from dnstap.pipeline.outputs.parallel_text import ParallelText, Workers, work
from dnstap.pipeline.outputs.text import TextOutput
from dnstap.pipeline.outputs.text_batches import BatchRenderer, RenderedBatch
from dnstap.pipeline.rotation import FileLimits, Rotation
from dnstap.rendering.formats import FORMATS
from framestream import read_file, write_file
from tests.threads import start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SAMPLE = Path(__file__).parents[3] / "data" / "nsd-auth.fstrm"
GOOD = bytes.fromhex("7801")


@pytest.fixture(autouse=True)
def _nobody_stays() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


def payloads() -> list[bytes]:
    """Return the payloads of the sample, with some that do not decode."""
    with read_file(SAMPLE) as reader:
        made = list(reader)
    made[200:200] = [b"junk", b""]
    return [*made[:300], b"\x0a", *made[300:]]


def fill(output: TextOutput) -> TextOutput:
    """Give an output all payloads, at most 7 at a time."""
    rest = payloads()
    with contextlib.closing(output):
        while rest:
            output.write_many(rest[:7])
            rest = rest[7:]
        output.flush()
    return output


@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize("format_name", FORMATS)
def test_as_by_one_process(tmp_path: Path, format_name: str, jobs: int) -> None:
    one = fill(TextOutput(str(tmp_path / "one"), format_name))
    several = fill(ParallelText(str(tmp_path / "several"), format_name, jobs=jobs, batch_bytes=2000))
    assert (tmp_path / "several").read_bytes() == (tmp_path / "one").read_bytes()
    assert (several.frames, several.problems.count, one.problems.count) == (one.frames, one.problems.count, 3)
    assert one.problems.first
    assert several.problems.first
    assert (several.problems.first[0], str(several.problems.first[1])) == (201, str(one.problems.first[1]))
    assert list(several.new_reports()) == list(one.new_reports())


def test_less_than_a_batch(tmp_path: Path) -> None:
    """Also no payload at all."""
    output = ParallelText(str(tmp_path / "out"), "quiet", jobs=2)
    output.flush()
    output.write_many([GOOD])
    assert (tmp_path / "out").read_bytes() == b""
    output.flush()
    output.close()
    assert (tmp_path / "out").read_bytes() == b"[no Message]\n"


def test_rotated_by_count(tmp_path: Path) -> None:
    """A thread compresses the file that was there before; the processes were forked earlier."""
    written = []
    for jobs in 1, 3:
        folder = tmp_path / str(jobs)
        folder.mkdir()
        (folder / "log").write_text("old")
        rotation = Rotation(FileLimits(frames=30), print, command="true")
        path = str(folder / "log")
        fill(
            ParallelText(path, "json", jobs=jobs, rotation=rotation, batch_bytes=2000)
            if jobs > 1
            else TextOutput(path, "json", rotation=rotation)
        )
        written.append(sorted(file.read_bytes() for file in folder.iterdir()))
    assert len(written[0]) == len(payloads()) // 30 + 2
    assert written[0] == written[1]


def test_opened_again(tmp_path: Path) -> None:
    """Payloads given before are in the old file."""
    path, old = tmp_path / "out", tmp_path / "old"
    output = ParallelText(str(path), "quiet", jobs=1)
    output.write_many([GOOD])
    path.rename(old)
    output.reopen_soon()
    output.write_many([GOOD] * 2)
    output.flush()
    output.close()
    assert (old.read_text(), path.read_text()) == ("[no Message]\n", "[no Message]\n" * 2)


@pytest.mark.parametrize("in_memory", [True, False])
def test_work(in_memory: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function of a worker, run in this process."""
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create")
    slots = [parallel._anonymous_file() for _ in range(2)]
    ours, theirs = multiprocessing.Pipe()
    other, _ = multiprocessing.Pipe()
    answers: list[Any] = []

    def ask() -> None:
        with ours:
            for slot, texts in zip(slots, ([GOOD, GOOD], [b"junk"]), strict=True):
                parallel._store(slot, b"".join(texts))
                ours.send_bytes(array("I", map(len, texts)).tobytes())
                answers.append(ours.recv())

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    asking = start(ask)
    try:
        work(BatchRenderer("quiet"), theirs, slots, [other])
        assert [signal.getsignal(number) for number in numbers] == [signal.SIG_IGN] * 3
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
        asking.result(DEADLINE_S)
        theirs.close()
    assert other.closed
    assert answers[0] == (26, 0, None)
    assert answers[1][:2] == (0, 1)
    assert parallel._load(slots[0], 26) == b"[no Message]\n" * 2
    for slot in slots:
        os.close(slot)


def test_a_worker_that_is_killed() -> None:
    workers = Workers(1, BatchRenderer("quiet"))
    (process,) = multiprocessing.active_children()
    assert process.pid
    os.kill(process.pid, signal.SIGSTOP)
    workers.submit([GOOD])
    process.kill()
    said = f"worker process {process.pid} was killed by signal 9"
    with pytest.raises(ChildProcessError, match=said):
        workers.collect()
    with pytest.raises(ChildProcessError, match=said):
        workers.submit([GOOD])
    workers.close()


def test_a_worker_that_has_ended() -> None:
    """By an error in its own code, with a traceback on standard error."""

    class Faulty(BatchRenderer):
        def render(self, payloads: Sequence[bytes]) -> RenderedBatch:
            sys.exit(3)

    workers = Workers(1, Faulty("quiet"))
    workers.submit([GOOD])
    with pytest.raises(ChildProcessError, match="ended with status 3"):
        workers.collect()
    workers.close()


def test_no_more_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    fork, left = os.fork, [True]

    def seldom() -> int:
        if not left:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        left.pop()
        return fork()

    monkeypatch.setattr(os, "fork", seldom)
    with pytest.raises(OSError, match="a worker process cannot be started: Resource temporarily unavailable"):
        Workers(2, BatchRenderer("quiet"))


@pytest.fixture
def three_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command start as many processes, which are no more than there are processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2})


@pytest.mark.usefixtures("three_processors")
def test_no_output(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "missing" / "out"
    assert main(["-r", str(SAMPLE), "-q", "-w", str(out), "--jobs", "2"]) == 1
    assert capfd.readouterr().err == f"dnstap: {out}: cannot write: No such file or directory\n"
    assert main(["-r", str(SAMPLE), "-q", "-w", "/dev/full", "--jobs", "2"]) == 1
    assert capfd.readouterr().err == "dnstap: /dev/full: cannot write: No space left on device\n"


@pytest.mark.usefixtures("three_processors")
def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Stages come first, and problems are reported as with one process."""
    path = tmp_path / "bad"
    with write_file(path, [CONTENT_TYPE]) as writer:
        writer.write_many(filter(None, payloads()))
    said = []
    for jobs in "1", "3":
        some = ["--sample", "1/2", "--count", "160", "--jobs", jobs, "--stats", "-j"]
        assert main(["-r", str(path), "-r", str(SAMPLE), *some]) == 0
        said.append(capfd.readouterr())
    assert said[0] == said[1]
    assert "1 of 160 payloads left out; the first was payload 101: " in said[0].err
    assert len(said[0].out.splitlines()) == 159


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Make a file larger than two processes and their parent hold at a time."""
    path = tmp_path / "large"
    path.write_bytes(SAMPLE.read_bytes() * (8 * parallel.BATCH_BYTES * 2 // SAMPLE.stat().st_size))
    return path


@contextlib.contextmanager
def running(path: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[int], bytes]]:
    """Run the command with two workers until it waits for its reader: the process, its workers, its first output."""
    code = "import os; os.sched_getaffinity = lambda pid: {0, 1}; from dnstap.cli.main import run; run()"
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, "-r", path, "--jobs", "2", "--stats"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout
            first = os.read(process.stdout.fileno(), 1)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            yield process, [*map(int, children.split())], first
        finally:
            process.kill()


def there(pid: int) -> bool:
    """Return whether a process runs. A zombie, which the init process of a container may leave, does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal(large: Path, number: int) -> None:
    """Sent to all processes, as by a terminal: everything read is written."""
    with running(large) as (process, workers, first):
        assert len(workers) == 2
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 128 + number
        stopped, stats, output = err.decode().splitlines()
        assert stopped.startswith(f"dnstap: {large}: stopped at byte ")
        frames = int(stats.split()[1])
        assert output == f"dnstap: standard output: {frames} frames: {frames} written, 0 rejected, 0 dropped, 0 left"
        assert len((first + out).splitlines()) == frames
        assert not any(map(there, workers))


def test_nobody_reads_the_output(large: Path) -> None:
    with running(large) as (process, workers, _):
        assert process.stdout
        process.stdout.close()
        assert process.wait(DEADLINE_S) == 128 + signal.SIGPIPE
        assert process.stderr
        _, output = process.stderr.read().decode().splitlines()  # The statistics, and no error.
        written, left = map(int, re.findall(r"(\d+) (?:written|left)", output))
        assert written < written + left == int(output.split()[3])
        assert not any(map(there, workers))


def test_a_killed_worker_ends_the_command(large: Path) -> None:
    with running(large) as (process, workers, _):
        os.kill(workers[1], signal.SIGKILL)
        _, err = process.communicate(timeout=DEADLINE_S)
        said = f"dnstap: standard output: cannot write: worker process {workers[1]} was killed by signal 9"
        assert (process.returncode, err.decode().splitlines()[-1]) == (1, said)
        assert not any(map(there, workers))


def test_workers_end_with_their_parent(large: Path) -> None:
    with running(large) as (process, workers, _):
        assert all(map(there, workers))
        process.kill()
        wait_for(lambda: not any(map(there, workers)), "the end of the workers")


def test_a_process_that_does_not_close_them_ends() -> None:
    leaving = (
        "from dnstap.pipeline.outputs.parallel_text import Workers\n"
        "from dnstap.pipeline.outputs.text_batches import BatchRenderer\n"
        "workers = Workers(2, BatchRenderer('quiet'))"
    )
    assert subprocess.run([sys.executable, "-c", leaving], timeout=DEADLINE_S, check=False).returncode == 0


def test_one_process_loads_nothing_of_it() -> None:
    check = (
        "import sys; from dnstap.cli import main; main.main(['-r', sys.argv[1]]); "
        "print('multiprocessing' in sys.modules)"
    )
    process = subprocess.run([sys.executable, "-c", check, SAMPLE], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == "False"
