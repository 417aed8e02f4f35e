"""nats-server as the tests need it: real, on a free port, gone afterwards."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, *, seconds: float = 10) -> None:
    """Return when something listens there."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing listens on port {port} after {seconds} s")
        time.sleep(0.01)


@dataclass
class Broker:
    """A nats-server with JetStream and synchronous writes, that tests may kill, wipe and start again."""

    folder: Path
    port: int
    config: str = ""
    process: subprocess.Popen[bytes] | None = None
    sync_interval: str = "always"

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        store = self.folder / "jetstream"
        config = self.folder / "nats.conf"
        jetstream = f'jetstream {{ store_dir: "{store}", sync_interval: {self.sync_interval} }}\n'
        config.write_text(f'host: "127.0.0.1"\nport: {self.port}\n{jetstream}{self.config}')
        program = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or "nats-server"
        with (self.folder / "nats.log").open("ab") as log:
            self.process = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)
        wait_for_port(self.port)

    def kill(self) -> None:
        """As the power does it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def forget(self) -> None:
        """Lose the data directory of a killed broker."""
        shutil.rmtree(self.folder / "jetstream", ignore_errors=True)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


@contextlib.contextmanager
def a_broker(folder: Path, config: str = "", *, sync_interval: str = "always") -> Iterator[Broker]:
    broker = Broker(folder, free_port(), config, sync_interval=sync_interval)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
