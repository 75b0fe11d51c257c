"""A clock for a fleet in a test: real, and ahead by a shift that the test moves forward. Redis and
every budgetd started with its `environment` see the same time; timeouts stay real."""

import mmap
import struct
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


class ShiftedClock:
    """Starts ahead by `ahead` seconds; with `wall_only` it is the wall clock alone that is off."""

    def __init__(self, directory, ahead=0.0, wall_only=False):
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        library = directory / "shifted_clock.so"
        if not library.exists():
            subprocess.run(
                ["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                 "-o", str(library), str(HERE / "shifted_clock.c"), "-ldl"], check=True)
        self.path = directory / "shift"
        self.path.write_bytes(bytes(8))
        with open(self.path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 8)
        self.shift = 0
        self.environment = {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(self.path)}
        if wall_only:
            self.environment["SHIFTED_CLOCK_WALL"] = "1"
        self.advance(ahead)

    def now(self):
        """Unix seconds as the fleet sees them."""
        return time.time() + self.shift / 1e9

    def advance(self, seconds):
        self.shift += round(seconds * 1e9)
        self.page[:] = struct.pack("=q", self.shift)

    def reach(self, instant):
        """Jumps forward to that time, if it is not past already."""
        self.advance(max(0.0, instant - self.now()))

    def close(self):
        self.page.close()
