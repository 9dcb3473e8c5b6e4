"""What a tap costs a server: a call's latency, frames a second, the sender's share, and lost answers.

    python benchmarks/tapping.py [--json] [--rounds N] [--seconds S] [--jobs JOB ...]

In turn, in one run, with fstrm_capture as the receiver that is healthy or stopped (SIGSTOP):

- latency of `submit` of a ready message and of `client_query` from raw values, with nobody there, too; the clock's own
  time is not subtracted. Beside them: PyPI fstrm and Google's protobuf (upb), which encode and write in the call, and a
  record put by the standard library's QueueHandler, which encodes and writes nothing.
- frames a second from one thread into fstrm_capture, of which none may be dropped: the thread waits for the queue.
- what the sender takes from a loop of Python in the main thread, which submits in each step: the time with a receiver
  less the time with nobody there, where everything but sending is done.
- answers a second, and a second of the processor, of a UDP server with two threads, each of which taps query and
  response, over the same without: one that answers by dnspython, and one that sends back what comes, to which nothing
  could be more. And the first without a network.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import logging.handlers
import queue
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dns.message
import dns.rrset
from fstrm import FSTRM_DATA_FRAME, FstrmCodec

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.receiving import CONTENT_TYPE
from dnstap import Message, SocketProtocol, Tap
from framestream import open_writer
from tests.judge import google
from tests.wait import listens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUERY = dns.message.make_query("www.example.org.", "A", id=1).to_wire()
CALLS = 20_000
FRAMES = 300_000
STEPS = 40_000

CLIENT = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.connect(("127.0.0.1", int(sys.argv[1])))
    sock.settimeout(0.05)
    query = bytes.fromhex(sys.argv[2])
    for _ in range(20):
        sock.send(query)
    while True:
        try:
            sock.recv(4096)
        except TimeoutError:
            pass
        except ConnectionRefusedError:
            break
        sock.send(query)
"""


@contextlib.contextmanager
def receiver(state: str) -> Iterator[str]:
    """Where a receiver in this state is; "" for no tap at all."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = f"{folder}/s"
        if state in ("healthy", "stopped"):
            command = ["/usr/bin/fstrm_capture", "-t", CONTENT_TYPE.decode(), "-u", path, "-w", "/dev/null"]
            process = stack.enter_context(subprocess.Popen(command, stderr=subprocess.DEVNULL))
            stack.callback(process.kill)
            while not listens(path):
                time.sleep(0.01)
        elif state in ("silent", "garbage"):
            says = b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20 if state == "garbage" else b""
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(path)
            server.listen()
            threading.Thread(target=_misbehave, args=(server, says), daemon=True).start()
            stack.callback(server.shutdown, socket.SHUT_RDWR)
        if state == "none":
            yield ""
        elif state == "stopped":
            with Tap(f"unix:{path}") as first:
                while not first.connected:
                    time.sleep(0.01)
            process.send_signal(signal.SIGSTOP)
            yield f"unix:{path}"
        else:
            yield f"unix:{path}"


def _misbehave(server: socket.socket, says: bytes) -> None:
    taken = []
    with contextlib.suppress(OSError):
        while True:
            sock, _ = server.accept()
            taken.append(sock)
            sock.sendall(says)


@contextlib.contextmanager
def tapping(state: str) -> Iterator[Tap | None]:
    """A tap whose receiver is in this state; a healthy one is connected."""
    with receiver(state) as where:
        if not where:
            yield None
            return
        tap = Tap(where, identity="ns1", version="1")
        while state == "healthy" and not tap.connected:
            time.sleep(0.01)
        yield tap
        tap.close(5.0 if state == "healthy" else 0.1)


def latencies(call: Callable[[], object], pause: Callable[[], object] = lambda: None) -> list[float]:
    """Microseconds of each call, the clock's own time included."""
    clock = time.perf_counter_ns
    times = []
    for number in range(CALLS):
        if number % 1000 == 0:
            pause()
        began = clock()
        call()
        times.append((clock() - began) / 1e3)
    return times


def raw(tap: Tap) -> Callable[[], object]:
    return lambda: tap.client_query(
        QUERY,
        query_address="192.0.2.1",
        query_port=5353,
        response_address="192.0.2.53",
        response_port=53,
        socket_protocol=SocketProtocol.UDP,
    )


def ready() -> Message:
    return Message.client_query(
        QUERY,
        query_address="192.0.2.1",
        query_port=5353,
        response_address="192.0.2.53",
        response_port=53,
        socket_protocol=SocketProtocol.UDP,
        query_time=time.time_ns(),
    )


def by_protobuf() -> bytes:
    """The same message by Google's classes."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    record: Any = google("Dnstap")()
    record.identity = b"ns1"
    record.version = b"1"
    record.type = 1
    message = record.message
    message.type = 5
    message.socket_family = message.socket_protocol = 1
    message.query_address = b"\xc0\0\2\1"
    message.response_address = b"\xc0\0\2\x35"
    message.query_port = 5353
    message.response_port = 53
    message.query_time_sec = seconds
    message.query_time_nsec = nanoseconds
    message.query_message = QUERY
    octets: bytes = record.SerializeToString()
    return octets


def measure_latency(results: dict[str, list[float]]) -> None:
    def keep(name: str, times: list[float]) -> None:
        quantiles = statistics.quantiles(times, n=100)
        results.setdefault(f"{name}, median us", []).append(statistics.median(times))
        results.setdefault(f"{name}, 99th percentile us", []).append(quantiles[98])

    keep("(upb encode alone)", latencies(by_protobuf))
    for state in "healthy", "stopped", "away":
        with tapping(state) as tap:
            assert tap
            drained = partial(until_few_wait, tap, 1000) if state == "healthy" else (lambda: None)
            keep(f"submit, {state}", latencies(partial(tap.submit, ready()), drained))
            keep(f"client_query, {state}", latencies(raw(tap), drained))
    with receiver("healthy") as where, open_writer(where, [CONTENT_TYPE]) as writer:
        # It has no writer: the handshake is ours.
        codec, sock = FstrmCodec(), socket.socket(fileno=writer.fileno())
        keep(
            "PyPI fstrm and upb", latencies(lambda: sock.sendall(codec.encode(FSTRM_DATA_FRAME, payload=by_protobuf())))
        )
        sock.detach()
    records: queue.SimpleQueue[Any] = queue.SimpleQueue()
    log = logging.Logger("queries")
    log.addHandler(logging.handlers.QueueHandler(records))
    listener = logging.handlers.QueueListener(records, logging.NullHandler())
    listener.start()
    keep("QueueHandler", latencies(lambda: log.info("%s %d %s", "192.0.2.1", 5353, QUERY)))
    listener.stop()


def until_few_wait(tap: Tap, few: int) -> None:
    while tap.counts.waiting > few:
        time.sleep(0.0005)


def measure_throughput(results: dict[str, list[float]]) -> None:
    with receiver("healthy") as where:
        tap = Tap(where, identity="ns1", version="1")
        message = ready()
        while not tap.connected:
            time.sleep(0.01)
        began, before = time.perf_counter(), time.process_time()
        submit = tap.submit
        for _ in range(0, FRAMES, 1000):
            for _ in range(1000):
                submit(message)
            until_few_wait(tap, 8000)
        left = tap.close(30)
        seconds, processor = time.perf_counter() - began, time.process_time() - before
    if left or tap.counts.sent != FRAMES:
        raise SystemExit(f"frames were lost: {tap.counts}")
    results.setdefault("throughput, frames/s", []).append(FRAMES / seconds)
    results.setdefault("throughput, us of processor a frame", []).append(processor / FRAMES * 1e6)
    began = time.perf_counter()
    with receiver("healthy") as where, open_writer(where, [CONTENT_TYPE]) as writer:
        codec, sock = FstrmCodec(), socket.socket(fileno=writer.fileno())
        began = time.perf_counter()
        for _ in range(FRAMES // 10):
            sock.sendall(codec.encode(FSTRM_DATA_FRAME, payload=by_protobuf()))
        seconds = time.perf_counter() - began
        sock.detach()
    results.setdefault("throughput of PyPI fstrm and upb, frames/s", []).append(FRAMES / 10 / seconds)


def measure_share(results: dict[str, list[float]]) -> None:
    seconds = {}
    for state in "away", "healthy":
        with tapping(state) as tap:
            assert tap
            submit, message, work = tap.submit, ready(), range(150)
            began = time.perf_counter()
            for _ in range(STEPS):
                for _ in work:
                    pass
                submit(message)
            seconds[state] = time.perf_counter() - began
            if tap.counts.queue_full:
                raise SystemExit(f"the sender could not keep up: {tap.counts}")
    share = (seconds["healthy"] - seconds["away"]) / STEPS * 1e6
    results.setdefault("taken by the sender, us a frame", []).append(share)


def dnspython(query: bytes) -> bytes:
    """What a small authoritative server does."""
    parsed = dns.message.from_wire(query)
    response = dns.message.make_response(parsed)
    response.answer.append(dns.rrset.from_text(parsed.question[0].name, 300, "IN", "A", "192.0.2.7"))
    return response.to_wire()


def echo(query: bytes) -> bytes:
    return query[:2] + b"\x80" + query[3:]


def answers(answer: Callable[[bytes], bytes], state: str, seconds: float) -> tuple[float, float]:
    """Answers a second of a server with two threads, and a second of the processor, the sender's included."""
    ended = threading.Event()
    counts = [0, 0]

    def serve(number: int) -> None:
        while not ended.is_set():
            try:
                query, (host, port) = sock.recvfrom(4096)
            except TimeoutError:
                continue
            if tap:
                tap.client_query(query, query_address=host, query_port=port, socket_protocol=SocketProtocol.UDP)
            response = answer(query)
            sock.sendto(response, (host, port))
            if tap:
                tap.client_response(response, query_address=host, query_port=port, socket_protocol=SocketProtocol.UDP)
            counts[number] += 1

    with tapping(state) as tap, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.1)
        command = [sys.executable, "-c", CLIENT, str(sock.getsockname()[1]), QUERY.hex()]
        threads = [threading.Thread(target=serve, args=(number,)) for number in range(2)]
        with subprocess.Popen(command) as client:
            for thread in threads:
                thread.start()
            while not sum(counts):
                time.sleep(0.01)
            before, began, used = sum(counts), time.perf_counter(), time.process_time()
            time.sleep(seconds)
            done = sum(counts) - before
            rates = done / (time.perf_counter() - began), done / (time.process_time() - used)
            ended.set()
            for thread in threads:
                thread.join()
            client.kill()
    return rates


def measure_alone(results: dict[str, list[float]]) -> None:
    """The same without a network, 50 answers with and 50 without in turn, which a noisy machine disturbs less.

    What the sender takes falls on both.
    """
    for state in "healthy", "stopped", "silent", "garbage", "away":
        with tapping(state) as tap:
            ratios = []
            for _ in range(60):
                seconds = []
                for tapped in (None, tap):
                    began = time.perf_counter()
                    for _ in range(50):
                        if tapped:
                            tapped.client_query(QUERY, query_address="192.0.2.1", query_port=5353)
                        response = dnspython(QUERY)
                        if tapped:
                            tapped.client_response(response, query_address="192.0.2.1", query_port=5353)
                    seconds.append(time.perf_counter() - began)
                ratios.append(seconds[0] / seconds[1])
        results.setdefault(f"dnspython, no network: tap / none, {state}", []).append(statistics.median(ratios))


def measure_answers(results: dict[str, list[float]], seconds: float) -> None:
    for answer in dnspython, echo:
        without = answers(answer, "none", seconds)
        results.setdefault(f"{answer.__name__}: answers/s without a tap", []).append(without[0])
        for state in "healthy", "stopped", "silent", "garbage", "away":
            # Between two without, so that a machine whose speed drifts is unfair to none.
            tapped, after = answers(answer, state, seconds), answers(answer, "none", seconds)
            for number, unit in enumerate(("s", "s of processor")):
                ratio = 2 * tapped[number] / (without[number] + after[number])
                results.setdefault(f"{answer.__name__}: answers/{unit}, tap / none, {state}", []).append(ratio)
            without = after


def main() -> None:
    """Run all in turn, and print the medians over the rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (%(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a server answers (%(default)s)")
    jobs = "latency", "throughput", "share", "answers"
    parser.add_argument("--jobs", nargs="+", choices=jobs, default=jobs, help="leave the others out")
    options = parser.parse_args()
    results: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        logging.getLogger("dnstap.tap").setLevel(logging.ERROR)
        if "latency" in options.jobs:
            measure_latency(results)
        if "throughput" in options.jobs:
            measure_throughput(results)
        if "share" in options.jobs:
            measure_share(results)
        if "answers" in options.jobs:
            measure_alone(results)
            measure_answers(results, options.seconds)
    if options.json:
        print(json.dumps({"rounds": options.rounds, "results": results}))
        return
    for name, values in results.items():
        print(f"  {name:55} {statistics.median(values):12.2f}   ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
