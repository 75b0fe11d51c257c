"""What power_loss_images.sh runs: `write WORK COPIES` and `check WORK COPY`. BUDGETD_BIN or the
build directory has the binary; BUDGETD_SEED repeats a run."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from conftest import binary, eventually, running
from ledger_clients import CONFIG, Books, Load


def stopped(pid):
    states = [path.read_text().rsplit(")", 1)[1].split()[0]
              for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"T"}


def write(work, copies):
    """Copies the image `copies` times while clients record."""
    seed = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))
    books, rng = Books(seed), random.Random(seed)
    image = work / "images" / "disk.img"
    program = binary("BUDGETD_BIN", "budgetd")
    with running(program, work / "disk", CONFIG, "--durability", "commit") as server:
        with Load(server.rpc, books, connections=3, depth=8):
            for number in range(copies):
                books.wait_for(100)
                time.sleep(rng.random() * 0.3)  # the instant of the cut
                # Stopped, so that the copy is of one moment; the kernel may still write back.
                server.process.send_signal(signal.SIGSTOP)
                try:
                    eventually(lambda: stopped(server.pid), what="all threads stopped")
                    books.write(work / f"copy-{number}.json")
                    copy = work / "images" / f"copy-{number}.img"
                    subprocess.run(["cp", "--sparse=never", image, copy], check=True)
                finally:
                    server.process.send_signal(signal.SIGCONT)
        books.audit(server)


def check(work, copy):
    """A node started from the copy has all keys that were acknowledged before."""
    books = Books.read(work / f"{copy}.json")
    program = binary("BUDGETD_BIN", "budgetd")
    with running(program, work / "copy", CONFIG, "--durability", "commit") as server:
        known, unknown = books.counts()
        books.audit(server)
    shutil.rmtree(work / "copy" / "data")
    print(f"{copy}: {known} acknowledged keys are there; of {unknown} sent ones each applies once")


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        check(Path(sys.argv[2]), sys.argv[3])
