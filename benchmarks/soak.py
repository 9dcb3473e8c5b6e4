"""A collector among bad peers, with every fault that an operator meets, for minutes or hours; ends by a balance.

    python benchmarks/soak.py [--minutes M] [--seed N] [--json]

DNSTAP_SOAK_MINUTES sets the minutes, too. The collector listens on a unix socket and on TCP, records with rotation and
compression, writes to a named pipe, and forwards to a receiver. Good senders number their frames. Beside them silent,
slow, garbage and vanishing peers connect, crowds use up its descriptors, and silent clients hold its metrics. At random
the recording is moved or removed, HUP and USR1 are sent, the reader of the pipe stops, the receiver stops or dies, and
the disk is full (that needs root, for a small file system of its own).

The run fails if the collector dies or does not end in time, if the counters of an output do not add up or differ from
what is in the recordings or came out of the pipe, if a frame of a stream that was acknowledged by FINISH is not there
exactly once, or if a good stream breaks. What reaches the receiver is only shown: frames that it had not read when it
died are lost, and others may arrive twice.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.receiving import CONTENT_TYPE
from framestream import (
    Deadlines,
    FrameStreamError,
    TruncatedStreamError,
    listen_reader,
    open_writer,
    read_file,
)
from tests.wait import listens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

DESCRIPTORS = 128
"""Limit of the collector, so that a crowd of this size uses all of them up."""

DISK_BYTES = 24 << 20
FINISHED_S = 20.0
"""Seconds after which nobody compresses a recording any more that is complete."""

END_S = 30.0
"""More than the collector may take for its end (docs/collecting.md) on a machine that is busy with this."""

PATIENT = Deadlines(60.0, 60.0, 60.0, 60.0)
READY = bytes.fromhex("00000000 00000022 00000004 00000001 00000016") + CONTENT_TYPE
START = bytes.fromhex("00000000 00000022 00000002 00000001 00000016") + CONTENT_TYPE

_NAME = re.compile(rb"good-(\d+)-(\d+)-(\d+)")


def payload(sender: int, stream: int, number: int) -> bytes:
    """Return a Dnstap message whose identity names one frame: of type MESSAGE, without a Message."""
    identity = b"good-%d-%d-%d" % (sender, stream, number)
    return b"\x0a" + bytes([len(identity)]) + identity + b"\x78\x01"


class Ledger:
    """The numbers of the frames that arrived at one place, kept as runs, so that hours of them need little memory."""

    def __init__(self) -> None:
        self.frames = 0
        self._runs: dict[tuple[int, int], list[list[int]]] = defaultdict(list)

    def add(self, payloads: Iterable[bytes]) -> None:
        """Add the frames of good senders; others are ignored."""
        for each in payloads:
            self.frames += 1
            if found := _NAME.search(each):
                sender, stream, number = map(int, found.groups())
                runs = self._runs[sender, stream]
                if runs and runs[-1][1] == number:
                    runs[-1][1] += 1
                else:
                    runs.append([number, number + 1])

    def faults(self, acknowledged: dict[tuple[int, int], int]) -> Iterator[str]:
        """Yield what is wrong: frames that are there twice, and frames of acknowledged streams that are missing."""
        for (sender, stream), runs in self._runs.items():
            end = 0
            for first, after in sorted(runs):
                if first < end:
                    yield f"stream {sender}-{stream}: frames {first} to {end} are there twice"
                end = max(end, after)
        for key, count in acknowledged.items():
            runs = sorted(self._runs.get(key, []))
            have = sum(after - first for first, after in runs)
            if have != count:
                yield f"stream {key[0]}-{key[1]}: {have} of {count} acknowledged frames: {runs[:5]}"


class Soak:
    """One run: the collector, its peers and its operator.

    Attributes:
        done: number of times that each thing was done.
        broken: good streams that ended by an error after their handshake.
        acknowledged: number of frames of each stream that the collector answered by FINISH.
        ending: whether TERM has been sent: then the collector closes connections by itself.
    """

    def __init__(self, folder: Path, random_: random.Random, *, can_fill: bool) -> None:
        self.folder = folder
        self.recordings = folder / "recordings"
        self.socket = folder / "tap.sock"
        self.pipe = folder / "pipe"
        self.receiver = folder / "receiver.sock"
        self.done: Counter[str] = Counter()
        self.broken: list[str] = []
        self.acknowledged: dict[tuple[int, int], int] = {}
        self.recorded, self.piped, self.relayed = Ledger(), Ledger(), Ledger()
        self.stopping = threading.Event()
        self.ending = False
        self._can_fill = can_fill
        self._random = random_
        self._held: list[tuple[float, socket.socket]] = []
        self._pause_pipe = threading.Event()
        self._pause_receiver = threading.Event()
        self._kill_receiver = threading.Event()

    def start(self) -> None:
        """Start the collector, and wait until it listens."""
        os.mkfifo(self.pipe)
        self.errors = self.folder / "stderr"
        command = [sys.executable, "-m", "dnstap", "-u", str(self.socket), "-l", "127.0.0.1:0"]
        command += ["-w", str(self.recordings / "log.fstrm"), "-w", str(self.pipe)]
        command += ["--rotate", "count=20000,time=2s", "--compress", "gzip", "--relay", f"unix:{self.receiver}"]
        command += ["--metrics", "127.0.0.1:0", "--stats"]
        self.pipe_end = os.open(self.pipe, os.O_RDONLY | os.O_NONBLOCK)
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS)),
            )
        end = time.monotonic() + END_S
        while not (listens(self.socket) and (self._found("metrics at port"))):
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the collector does not listen:\n{self.errors.read_text()}")
            time.sleep(0.05)
        self.port = int(self._found("opened input socket tcp:127.0.0.1:"))
        self.metrics = int(self._found("metrics at port "))

    def _found(self, words: str) -> str:
        match = re.search(re.escape(words) + r"\s*(\d+)", self.errors.read_text())
        return match[1] if match else ""

    # Peers.

    def send(self, sender: int) -> None:
        """Send good streams until the end."""
        random_ = random.Random(sender)
        for stream in range(1 << 30):
            if self.stopping.is_set():
                return
            where = f"unix:{self.socket}" if sender % 2 else f"tcp:127.0.0.1:{self.port}"
            count = random_.choice((1, 100, 5000))
            sent = 0
            try:
                writer = open_writer(where, [CONTENT_TYPE], deadlines=PATIENT)
            except (OSError, FrameStreamError):
                self.done["good streams refused, and tried again"] += 1
                self.stopping.wait(0.05)
                continue
            try:
                while sent < count:
                    step = min(count - sent, random_.randint(1, 500))
                    writer.write_many([payload(sender, stream, number) for number in range(sent, sent + step)])
                    sent += step
                    self.stopping.wait(random_.choice((0, 0.01)))
                writer.close()
            except (OSError, FrameStreamError) as error:
                if not self.ending:
                    self.broken.append(f"stream {sender}-{stream}: {error}")
                continue
            self.acknowledged[sender, stream] = count
            self.done["good streams"] += 1
            self.done["good frames"] += count

    def connect(self) -> socket.socket:
        """Connect to one of the sockets of the collector."""
        if self._random.random() < 0.5:
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(2.0)
            sock.connect(str(self.socket))
        else:
            sock = socket.create_connection(("127.0.0.1", self.port), 2.0)
        return sock

    def hold(self, sock: socket.socket) -> None:
        """Keep a connection open for some seconds."""
        self._held.append((time.monotonic() + self._random.uniform(0, 8), sock))

    def silent(self) -> None:
        """Connect and say nothing."""
        self.hold(self.connect())

    def crowd(self) -> None:
        """Make more connections than the collector has descriptors."""
        for _ in range(DESCRIPTORS):
            self.hold(self.connect())

    def flood(self) -> None:
        """Connect and close, again and again."""
        for _ in range(300):
            self.connect().close()

    def slow(self) -> None:
        """Begin a frame and never end it."""
        sock = self.connect()
        sock.sendall(START + struct.pack(">I", 1 << 20) + bytes(self._random.randint(0, 1 << 16)))
        self.hold(sock)

    def garbage(self) -> None:
        """Send what is no Frame Streams, or a stream that goes wrong."""
        sock = self.connect()
        bad = self._random.choice((b"", READY, START, START + b"\0\0\0\2\x78\1"))
        sock.sendall(bad + self._random.randbytes(self._random.randint(1, 3000)))
        self.hold(sock)

    def vanishing(self) -> None:
        """Send frames, and be gone without STOP, by a reset if it is TCP."""
        sock = self.connect()
        sock.sendall(START + b"\0\0\0\2\x78\1" * self._random.randint(1, 50) + b"\0\0\0"[: self._random.randint(0, 3)])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def silent_scraper(self) -> None:
        """Connect to the metrics, and ask for nothing."""
        for _ in range(20):
            self.hold(socket.create_connection(("127.0.0.1", self.metrics), 2.0))

    def scrape(self) -> None:
        """Read the metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=10) as answer:
            answer.read()

    # The operator.

    def hup(self) -> None:
        """Have the recording reopened."""
        self.process.send_signal(signal.SIGHUP)

    def usr1(self) -> None:
        """Have the recording rotated."""
        self.process.send_signal(signal.SIGUSR1)

    def move(self) -> None:
        """Move the recording, as logrotate does, and perhaps send HUP."""
        (self.recordings / "log.fstrm").rename(self.recordings / f"moved-{time.monotonic_ns()}.fstrm")
        if self._random.random() < 0.5:
            self.hup()

    def remove(self) -> None:
        """Remove the recording; another name keeps what is in it for the balance."""
        name = self.recordings / "log.fstrm"
        os.link(name, self.recordings / f"removed-{time.monotonic_ns()}.fstrm")
        name.unlink()

    def stop_pipe(self) -> None:
        """Stop the reader of the pipe for a while."""
        self._pause(self._pause_pipe)

    def stop_receiver(self) -> None:
        """Stop the receiver of the relay for a while."""
        self._pause(self._pause_receiver)

    def kill_receiver(self) -> None:
        """Have the receiver of the relay go away for a while."""
        self._pause(self._kill_receiver)

    def fill_disk(self) -> None:
        """Use up all room of the file system of the recordings for a while."""
        if not self._can_fill:
            return
        ballast = self.recordings / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", 0) as file:
            while file.write(bytes(1 << 16)):
                pass
        self.stopping.wait(self._random.uniform(0, 3))
        ballast.unlink()

    def _pause(self, what: threading.Event) -> None:
        what.set()
        threading.Timer(self._random.uniform(0, 3), what.clear).start()

    # Receivers.

    def read_pipe(self) -> None:
        """Read the pipe to its end, with pauses."""
        os.set_blocking(self.pipe_end, True)
        with os.fdopen(self.pipe_end, "rb") as file, read_file(file, [CONTENT_TYPE]) as reader:
            for batch in reader.batches():
                self.piped.add(batch)
                while self._pause_pipe.is_set() and not self.ending:
                    time.sleep(0.05)

    def receive(self) -> None:
        """Receive what the relay sends, with pauses and deaths."""
        while not self.stopping.is_set():
            if self._kill_receiver.is_set():
                self.stopping.wait(0.1)
                continue
            with listen_reader(f"unix:{self.receiver}", [CONTENT_TYPE], deadlines=PATIENT) as listener:
                while not (self.stopping.is_set() or self._kill_receiver.is_set()):
                    with contextlib.suppress(OSError, FrameStreamError), listener.accept(0.2) as reader:
                        for batch in reader.batches():
                            self.relayed.add(batch)
                            while self._pause_receiver.is_set() and not self.ending:
                                time.sleep(0.05)
                            if self._kill_receiver.is_set():
                                break

    def ship(self) -> None:
        """Take finished recordings away, as a cron job would, and count what is in them."""
        for path in sorted(self.recordings.glob("*.fstrm.gz")):
            self._take(path)
        # Moved, removed, or not compressed because the disk was full. They must not fill it for good.
        for path in sorted(self.recordings.glob("*-*.fstrm")):
            # It may still be written to, or be compressed at this moment.
            with contextlib.suppress(TruncatedStreamError, FileNotFoundError):
                if time.time() - path.stat().st_mtime > FINISHED_S:
                    self._take(path)

    def _take(self, path: Path) -> None:
        with read_file(path, [CONTENT_TYPE]) as reader:
            payloads = list(reader)
        self.recorded.add(payloads)
        path.unlink()
        self.done["recordings shipped"] += 1

    def ship_rest(self) -> None:
        """Count what is in the recordings that are left at the end."""
        self.ship()
        for path in sorted(self.recordings.glob("*.fstrm")):
            with read_file(path, [CONTENT_TYPE]) as reader, contextlib.suppress(TruncatedStreamError):
                self.recorded.add(reader)

    def run(self, seconds: float) -> None:
        """Do things at random for so long."""
        peers: list[Callable[[], None]] = [self.silent, self.slow, self.garbage, self.vanishing, self.scrape]
        peers += [self.flood, self.crowd, self.silent_scraper]
        operator: list[Callable[[], None]] = [self.hup, self.usr1, self.move, self.remove, self.stop_pipe]
        operator += [self.stop_receiver, self.kill_receiver, self.fill_disk]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit(f"the collector has ended:\n{self.errors.read_text()[-3000:]}")
            act = self._random.choice(peers if self._random.random() < 0.8 else operator)
            # A peer may be refused, and the recording may have been moved already.
            try:
                act()
                self.done[act.__name__] += 1
            except OSError:
                self.done[f"{act.__name__} failed"] += 1
            self.ship()
            now = time.monotonic()
            for _, sock in [held for held in self._held if held[0] < now]:
                sock.close()
            self._held = [held for held in self._held if held[0] >= now]
            time.sleep(self._random.uniform(0, 0.2))

    def finish(self) -> tuple[int, float, int]:
        """End the collector by TERM. Return its exit status, the seconds that took, and its peak memory in KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
        self.ending = True
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise SystemExit("the collector did not end") from None
        self.stopping.set()
        return code, time.monotonic() - began, memory

    def faults(self) -> Iterator[str]:
        """Yield what is wrong at the end: counters that do not add up, frames that are missing or there twice."""
        said = self.errors.read_text()
        if "Traceback" in said:
            yield "the collector printed a traceback"
        outputs = list(_BALANCE.finditer(said))
        if len(outputs) != 3:
            yield f"the statistics have {len(outputs)} outputs instead of 3"
        for name, *numbers in (found.groups() for found in outputs):
            reached, written, rejected, dropped, left = map(int, numbers)
            if reached != written + rejected + dropped + left:
                yield f"{name}: {reached} is not {written} + {rejected} + {dropped} + {left}"
            if name.endswith("log.fstrm") and self.recorded.frames != written:
                yield f"{name}: {written} frames were written, {self.recorded.frames} are in the recordings"
            if name.endswith("pipe") and self.piped.frames != written:
                yield f"{name}: {written} frames were written, {self.piped.frames} came out of the pipe"
        yield from self.recorded.faults(self.acknowledged)
        yield from self.piped.faults(self.acknowledged)
        yield from self.broken


_BALANCE = re.compile(
    r"dnstap: (.+): (\d+) frames: (\d+) (?:written|sent), (\d+) rejected, (\d+) dropped, (\d+) left", re.MULTILINE
)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Give a folder a file system of DISK_BYTES during the body, if this user may. Gives whether it has one."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    mounted = os.getuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


def main() -> None:
    """Run the soak, and print what was done and how it ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    minutes = float(os.environ.get("DNSTAP_SOAK_MINUTES", "3"))
    parser.add_argument("--minutes", type=float, default=minutes, help="how long (default %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of everything random")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tempfile.TemporaryDirectory() as name:
        recordings = Path(name) / "recordings"
        recordings.mkdir()
        with small_disk(recordings) as can_fill:
            result = soak(Path(name), arguments.seed, arguments.minutes * 60, can_fill=can_fill)
    if arguments.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key}: {value}")
    sys.exit(1 if result["faults"] else 0)


def soak(folder: Path, seed: int, seconds: float, *, can_fill: bool) -> dict[str, object]:
    """Run one soak in a folder that has a folder `recordings`. Return what was done, and the faults that were found."""
    run = Soak(folder, random.Random(seed), can_fill=can_fill)
    run.start()
    bodies: list[Callable[[], None]] = [run.read_pipe, run.receive]
    bodies += [lambda sender=sender: run.send(sender) for sender in range(4)]  # type: ignore[misc]
    threads = [threading.Thread(target=body, daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    try:
        run.run(seconds)
        status, end_s, memory = run.finish()
    finally:
        run.process.kill()
        run.process.wait()
    for thread in threads:
        thread.join(END_S)
    run.ship_rest()
    faults = list(run.faults())
    return {
        "seed": seed,
        "done": dict(sorted(run.done.items())),
        "full disk": "yes" if can_fill else "no: not root",
        "frames that the receiver got": run.relayed.frames,
        "exit status": status,
        "seconds to end": round(end_s, 2),
        "peak memory in MiB": memory >> 10,
        "lines on standard error": len(run.errors.read_text().splitlines()),
        "statistics": run.errors.read_text().splitlines()[-5:],
        "number of faults": len(faults),
        "faults": faults[:20],
    }


if __name__ == "__main__":
    main()
