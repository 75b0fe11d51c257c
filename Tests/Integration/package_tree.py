"""A tree of files that packages are installed in and run in: this machine's without Swift, or a
fresh one of a Debian suite. What is changed in it is gone with it; networks, processes and mounts are its
own. Run as a program it is the tree's first process."""

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import LONG, ROOT

SUITES = os.environ.get("BUDGETD_TREES", "").split()
MIRROR = os.environ.get("BUDGETD_TREES_MIRROR", "http://deb.debian.org/debian")
# Debian has neither Ubuntu's keys nor, in debootstrap, names of its newer suites.
UBUNTU = ["--no-check-gpg", "--components=main,universe"]
UBUNTU_MIRROR = os.environ.get("BUDGETD_TREES_UBUNTU_MIRROR", "http://archive.ubuntu.com/ubuntu")
# Where the toolchain is found on machines that build.
TOOLCHAINS = ("opt/swift", "usr/share/swift", "root/.local/share/swiftly")


def suite_folder(suite, boots):
    """A tree without a compiler, as debootstrap makes it; kept for the next time. One that `boots` has
    systemd too."""
    folder = ROOT / ".build" / "trees" / f"{suite}{'-systemd' if boots else ''}"
    more, place = ["--include=systemd,systemd-sysv"] if boots else [], [MIRROR]
    if suite in ("noble",):
        more, place = more + UBUNTU, [UBUNTU_MIRROR, "/usr/share/debootstrap/scripts/gutsy"]
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(["debootstrap", "--variant=minbase", *more, suite, folder, *place],
                              capture_output=True, text=True, timeout=1200)
        assert made.returncode == 0, made.stdout[-2000:] + made.stderr
        (folder / "done").touch()
    return folder


def control_group():
    """A new one, for a systemd that is not the machine's."""
    rows = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    (place,) = (row[1] for row in rows if row[2] == "cgroup2" and row[1].startswith("/sys/fs"))
    group = Path(place) / f"budgetd-test-{os.getpid()}"
    group.mkdir()
    return group


class Tree:
    """Entered from outside by `run` and `start`; `files` are its files. With `boots` its first process is
    the suite's systemd."""

    def __init__(self, suite, work, boots=False):
        assert os.geteuid() == 0, "packages are installed by root: run these tests as root"
        base = suite_folder(suite, boots) if suite else Path("/")
        self.log = work / "tree.log"
        # Debian's own suites have what the package needs; this machine has it already.
        self.is_online = bool(suite)
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        if not self.is_online:
            command.append("--net")
        self.group = control_group() if boots else None
        if boots:
            command = ["sh", "-c", f'echo $$ >{self.group}/cgroup.procs && exec "$@"', "sh",
                       *command, "--cgroup", "--uts", "--ipc"]
        self.process = subprocess.Popen(
            [*command, sys.executable, __file__, base, work, "boot" if boots else "stay"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=open(self.log, "wb"))
        assert self.process.stdout.readline() == b"ready\n", self.log.read_text()
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.first = int(children.read_text().split()[0])
        self.files = Path(f"/proc/{self.first}/root")

    def _inside(self, command):
        return ["nsenter", "--target", str(self.first), "--mount", "--pid", "--net", "--root",
                f"--wd={self.files}", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                "HOME=/root", "bash", "-c", command]

    def run(self, command, status=0, timeout=120):
        """Runs a line of a shell; nothing is there to be read from it."""
        done = subprocess.run(self._inside(command), stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
        assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def start(self, command):
        """Starts a budgetd and waits until it is ready."""
        process = subprocess.Popen(self._inside(f"exec {command}"), stdin=subprocess.DEVNULL,
                                   text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("budgetd ready "):
                return process
        raise AssertionError(f"{command}: {process.wait()}\n{''.join(lines)}")

    def stop(self, process):
        """Ends the budgetd that was started, as systemd does."""
        self.run("kill -TERM $(pidof budgetd)")
        assert process.wait(15) == 0
        process.stdout.close()

    def close(self):
        """Ends the first process, and with it all others."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.first, signal.SIGKILL)
        self.process.wait(LONG)
        self.process.stdout.close()
        if self.group:
            for path in sorted(self.group.rglob("*/"), reverse=True):
                path.rmdir()
            self.group.rmdir()


@pytest.fixture(params=["", *SUITES], ids=lambda suite: suite or "machine")
def tree(request, tmp_path):
    one = Tree(request.param, tmp_path)
    yield one
    one.close()


def be_first(base, work, what):
    """Lays a layer in memory over the files of `base`, and stays or becomes systemd."""
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(source, target, kind, options="", flags=0):
        if libc.mount(source.encode(), str(target).encode(), kind.encode(), flags,
                      options.encode()) != 0:
            raise OSError(ctypes.get_errno(), f"mount {kind} on {target}")

    recursive_private = (1 << 14) | (1 << 18)
    mount("none", "/", "none", flags=recursive_private)
    layer, root = Path(work) / "layer", Path(work) / "root"
    layer.mkdir()
    root.mkdir()
    mount("tmpfs", layer, "tmpfs", "mode=755")
    for name in ("upper", "work"):
        (layer / name).mkdir()
    mount("overlay", root, "overlay",
          f"lowerdir={base},upperdir={layer}/upper,workdir={layer}/work")
    mount("proc", root / "proc", "proc")
    bind = 1 << 12
    for folder, mode in (("run", "755"), ("tmp", "1777"), ("home", "755")):
        mount("tmpfs", root / folder, "tmpfs", f"mode={mode}")
    for folder in TOOLCHAINS:
        if (root / folder).is_dir():
            mount("tmpfs", root / folder, "tmpfs")
    if what == "boot":
        devices(mount, bind, root / "dev")
        mount("sysfs", root / "sys", "sysfs")
        mount("cgroup2", root / "sys/fs/cgroup", "cgroup2")
        # systemd gives services roots of their own, which wants a root that is a mount, and shared.
        (root / "run/old").mkdir()
        os.chdir(root)
        subprocess.run(["pivot_root", ".", "run/old"], check=True)
        libc.umount2(b"/run/old", 2)
        mount("none", "/", "none", flags=(1 << 14) | (1 << 20))
    else:
        mount("/dev", root / "dev", "none", flags=bind)
        os.chroot(root)
    os.chdir("/")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        get_flags, set_flags, up = 0x8913, 0x8914, 1
        answer = fcntl.ioctl(one, get_flags, struct.pack("16sh14x", b"lo", 0))
        flags = struct.unpack("16sh14x", answer)[1] | up
        fcntl.ioctl(one, set_flags, struct.pack("16sh14x", b"lo", flags))
    print("ready", flush=True)
    if what == "boot":
        os.execve("/lib/systemd/systemd", ["systemd"],
                  {"container": "other", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    while True:
        try:
            os.wait()  # The first process buries the others.
        except ChildProcessError:
            signal.pause()


def devices(mount, bind, folder):
    """Those that a service may see: systemd makes itself copies of each."""
    mount("tmpfs", folder, "tmpfs", "mode=755")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        (folder / name).touch()
        mount(f"/dev/{name}", folder / name, "none", flags=bind)
    for name in ("shm", "pts", "mqueue", "hugepages"):
        (folder / name).mkdir()
    mount("devpts", folder / "pts", "devpts", "newinstance,ptmxmode=0666,mode=620")
    for name, target in (("fd", "/proc/self/fd"), ("ptmx", "pts/ptmx")):
        (folder / name).symlink_to(target)


if __name__ == "__main__":
    be_first(*sys.argv[1:])
