"""Cost of a tap to a server: latency of a call, frames per second, time taken by the sender, answers lost.

    python benchmarks/tapping.py [--json] [--rounds N] [--seconds S] [--jobs JOB ...]

All jobs run in turn, in one run. The receiver is fstrm_capture, either healthy or stopped by SIGSTOP; "away" means
that there is no receiver. The jobs:

- latency: of `submit` with a message made before, and of `client_query` with raw values. The clock's own time is not
  subtracted. For comparison: PyPI fstrm with Google's protobuf (upb), which encode and write in the call, and the
  standard library's QueueHandler, which only queues a record.
- throughput: frames per second from one thread to fstrm_capture. None may be dropped: the thread waits for the queue.
- share: time that the sender takes from a Python loop in the main thread that submits in each step. It is the time with
  a receiver minus the time without one, where everything but sending is done.
- answers: answers per second, and per processor second, of a UDP server with two threads that tap queries and
  responses, divided by the same without a tap. One server answers by dnspython; the other returns the query as its
  response, which is the least work a server can do. The first is also measured without a network.
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
    """Run a receiver in this state and give its endpoint; "" for the state "none", without a tap."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = f"{folder}/s"
        if state in ("healthy", "stopped"):
            command = ["/usr/bin/fstrm_capture", "-t", CONTENT_TYPE.decode(), "-u", path, "-w", "/dev/null"]
            process = stack.enter_context(subprocess.Popen(command, stderr=subprocess.DEVNULL))
            stack.callback(process.kill)
            while not listens(path):
                time.sleep(0.01)
        elif state in ("silent", "garbage"):
            greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20 if state == "garbage" else b""
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(path)
            server.listen()
            threading.Thread(target=_misbehave, args=(server, greeting), daemon=True).start()
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


def _misbehave(server: socket.socket, greeting: bytes) -> None:
    """Accept connections, send the greeting and never read."""
    connections = []
    with contextlib.suppress(OSError):
        while True:
            sock, _ = server.accept()
            connections.append(sock)
            sock.sendall(greeting)


@contextlib.contextmanager
def tapping(state: str) -> Iterator[Tap | None]:
    """Open a tap with a receiver in this state, connected if that is healthy; None for the state "none"."""
    with receiver(state) as endpoint:
        if not endpoint:
            yield None
            return
        tap = Tap(endpoint, identity="ns1", version="1")
        while state == "healthy" and not tap.connected:
            time.sleep(0.01)
        yield tap
        tap.close(5.0 if state == "healthy" else 0.1)


def latencies(call: Callable[[], object], pause: Callable[[], object] = lambda: None) -> list[float]:
    """Return the microseconds of each call, the clock's own time included; `pause` runs between calls, untimed."""
    clock = time.perf_counter_ns
    times = []
    for number in range(CALLS):
        if number % 1000 == 0:
            pause()
        began = clock()
        call()
        times.append((clock() - began) / 1e3)
    return times


def raw_query(tap: Tap) -> Callable[[], object]:
    return lambda: tap.client_query(
        QUERY,
        query_address="192.0.2.1",
        query_port=5353,
        response_address="192.0.2.53",
        response_port=53,
        socket_protocol=SocketProtocol.UDP,
    )


def ready_message() -> Message:
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
    """Encode the same message by Google's classes."""
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
    payload: bytes = record.SerializeToString()
    return payload


def measure_latency(results: dict[str, list[float]]) -> None:
    def keep(name: str, times: list[float]) -> None:
        quantiles = statistics.quantiles(times, n=100)
        results.setdefault(f"{name}, median us", []).append(statistics.median(times))
        results.setdefault(f"{name}, 99th percentile us", []).append(quantiles[98])

    keep("(upb encode alone)", latencies(by_protobuf))
    for state in "healthy", "stopped", "away":
        with tapping(state) as tap:
            assert tap
            drained = partial(wait_for_queue, tap, 1000) if state == "healthy" else (lambda: None)
            keep(f"submit, {state}", latencies(partial(tap.submit, ready_message()), drained))
            keep(f"client_query, {state}", latencies(raw_query(tap), drained))
    with receiver("healthy") as endpoint, open_writer(endpoint, [CONTENT_TYPE]) as writer:
        # The package has no writer, so the handshake is ours.
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


def wait_for_queue(tap: Tap, limit: int) -> None:
    """Wait until no more than `limit` frames are queued."""
    while tap.counts.waiting > limit:
        time.sleep(0.0005)


def measure_throughput(results: dict[str, list[float]]) -> None:
    with receiver("healthy") as endpoint:
        tap = Tap(endpoint, identity="ns1", version="1")
        message = ready_message()
        while not tap.connected:
            time.sleep(0.01)
        began, before = time.perf_counter(), time.process_time()
        submit = tap.submit
        for _ in range(0, FRAMES, 1000):
            for _ in range(1000):
                submit(message)
            wait_for_queue(tap, 8000)
        left = tap.close(30)
        seconds, processor = time.perf_counter() - began, time.process_time() - before
    if left or tap.counts.sent != FRAMES:
        raise SystemExit(f"frames were lost: {tap.counts}")
    results.setdefault("throughput, frames/s", []).append(FRAMES / seconds)
    results.setdefault("throughput, us of processor per frame", []).append(processor / FRAMES * 1e6)
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
            submit, message, work = tap.submit, ready_message(), range(150)
            began = time.perf_counter()
            for _ in range(STEPS):
                for _ in work:
                    pass
                submit(message)
            seconds[state] = time.perf_counter() - began
            if tap.counts.queue_full:
                raise SystemExit(f"the sender could not keep up: {tap.counts}")
    share = (seconds["healthy"] - seconds["away"]) / STEPS * 1e6
    results.setdefault("taken by the sender, us per frame", []).append(share)


def dnspython(query: bytes) -> bytes:
    """Answer as a small authoritative server does."""
    parsed = dns.message.from_wire(query)
    response = dns.message.make_response(parsed)
    response.answer.append(dns.rrset.from_text(parsed.question[0].name, 300, "IN", "A", "192.0.2.7"))
    return response.to_wire()


def echo(query: bytes) -> bytes:
    return query[:2] + b"\x80" + query[3:]


def answers(answer: Callable[[bytes], bytes], state: str, seconds: float) -> tuple[float, float]:
    """Run a server with two threads; return its answers per second, and per processor second, the sender's included."""
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
    """Measure answers without a network: 50 with a tap and 50 without in turn, to disturb less on a noisy machine.

    The sender's work falls on both.
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
            # Between two runs without a tap, so that a machine whose speed drifts treats both alike.
            tapped, after = answers(answer, state, seconds), answers(answer, "none", seconds)
            for number, unit in enumerate(("s", "s of processor")):
                ratio = 2 * tapped[number] / (without[number] + after[number])
                results.setdefault(f"{answer.__name__}: answers/{unit}, tap / none, {state}", []).append(ratio)
            without = after


def main() -> None:
    """Run the jobs in turn, and print the medians over the rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each measurement (default %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="seconds that a server answers (default %(default)s)"
    )
    jobs = "latency", "throughput", "share", "answers"
    parser.add_argument("--jobs", nargs="+", choices=jobs, default=jobs, help="jobs to run (default: all)")
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
