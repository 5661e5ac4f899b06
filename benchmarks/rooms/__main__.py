"""`python -m benchmarks.rooms`: hold, join, signal and chat, against a server on a core of its own."""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import uvloop

from benchmarks.process import cpu_seconds, on_cpus, resident_kb
from benchmarks.rooms.client import Client, frame

IN_FLIGHT = 64
PER_ADDRESS = 20_000  # of one 127.0.0.x, whose ports are that many
SETTLE = 3.0  # seconds
TICK = 0.002
LATEST = 10.0  # seconds after the last was sent; what has not come by then is lost
START = 20.0


@contextlib.contextmanager
def running(*, cpus: list[int]) -> Iterator[tuple[int, int]]:
    """The server's process id and the port of its rooms."""
    with tempfile.TemporaryDirectory(prefix="headgate-bench-") as folder:
        file = Path(folder) / "headgate.yml"
        file.write_text(
            "rtsp: no\napiAddress: 127.0.0.1:0\nturn: {interfaces: []}\nlogLevel: error\n"
            "rooms: {address: '127.0.0.1:0', maxSessions: 100000}\n"
        )
        with on_cpus(cpus):
            process = subprocess.Popen(
                [sys.executable, "-m", "headgate", "run", str(file)],
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ | {"HEADGATE_STATE_DIR": folder},
            )
        try:
            yield process.pid, _port(process)
        finally:
            process.terminate()
            process.wait(START)


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("meet:"):
            return int(line.rsplit(":", 1)[1].strip(" /\n"))
    raise RuntimeError("the server did not start")


class Load:
    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port
        self.clients: list[Client] = []

    async def hold(self, count: int) -> None:
        """Connect as many, and look at what they cost while they are silent."""
        before, began = resident_kb(self.pid), time.perf_counter()
        times = await _limited(count, self._connect)
        rate = count / (time.perf_counter() - began)
        await asyncio.sleep(SETTLE)
        kilobytes = (resident_kb(self.pid) - before) / count
        print(f"hold {count}: {rate:.0f} connections/s, {_shown(times)}, {kilobytes:.1f} kB a connection")

    async def join(self, *, room_size: int) -> None:
        async def one(number: int) -> None:
            client = self.clients[number]
            done = asyncio.get_running_loop().create_future()

            def heard(text: bytes) -> None:
                if b'"Type":"Welcome"' in text[:64] and not done.done():
                    done.set_result(None)

            client.heard = heard
            hello = {"Type": "Hello", "Hello": {"Name": f"room {number // room_size}", "Ua": "x"}}
            client.send(frame(json.dumps(hello)))
            await done

        began = time.perf_counter()
        times = await _limited(len(self.clients), one)
        rate = len(self.clients) / (time.perf_counter() - began)
        print(f"join rooms of {room_size}: {rate:.0f}/s, {_shown(times)}")
        await asyncio.sleep(1.0)

    async def exchange(
        self, name: str, make: Callable[[int, str], bytes], *, rate: float, fan_out: int, seconds: float
    ) -> None:
        """`rate` messages a second from every client in turn; `make` writes one with a time stamp in it."""
        times: list[float] = []

        def heard(text: bytes) -> None:
            at = text.find(b"@")
            if at > 0:
                times.append(time.perf_counter() - float(text[at + 1 : text.index(b"#", at)]))

        for client in self.clients:
            client.heard = heard
        cpu, began, sent = cpu_seconds(self.pid), time.perf_counter(), 0
        while (now := time.perf_counter() - began) < seconds:
            for _ in range(int(now * rate) - sent):
                number = sent % len(self.clients)
                self.clients[number].send(make(number, f"@{time.perf_counter():.6f}#"))
                sent += 1
            await asyncio.sleep(TICK)
        used = (cpu_seconds(self.pid) - cpu) / seconds
        for _ in range(int(LATEST / TICK)):
            if len(times) >= sent * fan_out:
                break
            await asyncio.sleep(TICK)
        lost = sent * fan_out - len(times)
        print(
            f"{name}: {sent / seconds:.0f}/s sent, {len(times) / seconds:.0f}/s delivered, {lost} lost, "
            f"{_shown(times)}, {used:.2f} of a core",
            flush=True,
        )

    async def _connect(self, number: int) -> None:
        address = (f"127.0.0.{2 + number // PER_ADDRESS}", 0)
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(Client, "127.0.0.1", self.port, local_addr=address)
        await client.ready
        self.clients.append(client)

    def offer(self, number: int, stamp: str) -> bytes:
        """To the neighbour; of a usual size."""
        other = self.clients[number ^ 1 if number ^ 1 < len(self.clients) else 0].id
        body = {"To": other, "Type": "Offer", "Offer": {"sdp": stamp + "x" * 1400}}
        return frame(json.dumps({"Type": "Offer", "Offer": body}))

    def chat(self, _: int, stamp: str) -> bytes:
        body = {"To": "", "Type": "Chat", "Chat": {"NoEcho": True, "Message": stamp + "x" * 100}}
        return frame(json.dumps({"Type": "Chat", "Chat": body}))


async def _limited(count: int, make: Callable[[int], object]) -> list[float]:
    """All of them, some at a time; how long each took."""
    limit, times = asyncio.Semaphore(IN_FLIGHT), []

    async def one(number: int) -> None:
        async with limit:
            began = time.perf_counter()
            await make(number)  # type: ignore[misc]
            times.append(time.perf_counter() - began)

    await asyncio.gather(*(one(number) for number in range(count)))
    return times


def _shown(times: list[float]) -> str:
    times.sort()
    middle, late = times[len(times) // 2], times[int(len(times) * 0.99)]
    return f"p50 {middle * 1e3:.1f} ms, p99 {late * 1e3:.1f} ms"


async def measure(load: Load, given: argparse.Namespace) -> None:
    await load.hold(given.clients)
    if given.hold:
        return
    await load.join(room_size=given.room)
    for rate in given.offers:
        await load.exchange("unicast", load.offer, rate=rate, fan_out=1, seconds=given.seconds)
    for rate in given.chats:
        others = given.room - 1
        await load.exchange("chat", load.chat, rate=rate, fan_out=others, seconds=given.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rooms", description=__doc__)
    parser.add_argument("--clients", type=int, default=2000)
    parser.add_argument("--room", type=int, default=10, help="people in a room")
    parser.add_argument("--hold", action="store_true", help="connect and hold only")
    parser.add_argument("--offers", type=float, nargs="*", default=[10_000, 25_000], help="a second")
    parser.add_argument("--chats", type=float, nargs="*", default=[2000, 5000], help="a second, of all")
    parser.add_argument("--seconds", type=float, default=6.0)
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cpus = sorted(os.sched_getaffinity(0))
    with running(cpus=cpus[:1]) as (pid, port), on_cpus(cpus[1:] or cpus):
        uvloop.run(measure(Load(pid, port), given))


if __name__ == "__main__":
    main()
