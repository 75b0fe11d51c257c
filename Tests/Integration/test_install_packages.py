"""deploy/install-packages with stand-ins for apt-get, sudo and the rest: nothing is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "install-packages"
# Nothing else of this machine is found.
TOOLS = ["bash", "cat", "chmod", "dirname", "env", "grep", "rm", "sed", "sh", "sort"]
STAND_INS = {
    # Notes how it was called, and what a package's script would be told of starting a service.
    "apt-get": """#!/bin/sh
if [ -x "$POLICY" ]; then "$POLICY" redis-server start; allowed=$?; else allowed=yes; fi
echo "apt-get frontend=$DEBIAN_FRONTEND start=$allowed $*" >>"$LOG"
case "$*" in *install*) exit "$(cat "$STATUS")" ;; esac
""",
    # As sudo's env_reset does.
    "sudo": """#!/bin/sh
exec env -i PATH="$PATH" LOG="$LOG" STATUS="$STATUS" POLICY="$POLICY" "$@"
""",
    "dpkg-query": "#!/bin/sh\nexit 1\n",
    "dpkg": "#!/bin/sh\necho /lib/systemd/system/redis-server.service\n"
            "echo /lib/systemd/system/redis-server@.service\n",
    "systemctl": '#!/bin/sh\necho "systemctl $*" >>"$LOG"\n',
    "id": '#!/bin/sh\necho "$USER_ID"\n',
}


class Machine:
    """A folder of stand-ins, what they noted, and a policy of its own."""

    def __init__(self, directory):
        self.log, self.policy = directory / "log", directory / "policy-rc.d"
        self.status, self.release = directory / "status", directory / "os-release"
        self.programs = directory / "bin"
        self.programs.mkdir()
        for name, text in STAND_INS.items():
            self.add(name, text)
        for name in TOOLS:
            (self.programs / name).symlink_to(shutil.which(name))
        self.log.touch()
        self.status.write_text("0")
        self.release.write_text("ID=debian\n")

    def add(self, name, text="#!/bin/sh\n"):
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def install(self, *kinds, user=1000):
        return subprocess.run(
            [SCRIPT, *kinds], capture_output=True, text=True, timeout=60,
            env={"PATH": str(self.programs), "LOG": str(self.log),
                 "STATUS": str(self.status), "POLICY": str(self.policy), "USER_ID": str(user),
                 "BUDGETD_POLICY_RC_D": str(self.policy),
                 "BUDGETD_OS_RELEASE": str(self.release)})

    def lines(self):
        return self.log.read_text().splitlines()


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize("user", [0, 1000])
def test_nothing_asks_and_no_service_starts(machine, user):
    result = machine.install("build", "test", user=user)
    assert result.returncode == 0, result.stderr
    update, install, disable = machine.lines()
    for line in (update, install):
        assert line.startswith("apt-get frontend=noninteractive start=101 "), line
    assert "libhiredis-dev" in install and "redis-server" in install and "chromium" in install
    assert disable == "systemctl --quiet disable redis-server.service"
    assert not machine.policy.exists(), "the policy is for the installation alone"


def test_a_failed_installation_leaves_no_policy(machine):
    machine.status.write_text("100")
    assert machine.install("test").returncode == 100
    assert len(machine.lines()) == 2 and "start=101" in machine.lines()[1]
    assert not machine.policy.exists()


def test_a_policy_that_is_there_is_somebody_elses(machine):
    machine.policy.write_text("#!/bin/sh\nexit 0\n")
    machine.policy.chmod(0o755)
    assert machine.install("test").returncode == 0
    assert "start=0" in machine.lines()[1]
    assert machine.policy.read_text() == "#!/bin/sh\nexit 0\n"


@pytest.mark.parametrize("browser", [None, "chromium-browser", "google-chrome-stable"])
def test_on_ubuntu_chromium_is_named_and_left_out(machine, browser):
    machine.release.write_text('NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="24.04"\n')
    if browser:
        machine.add(browser)
    result = machine.install("test")
    assert result.returncode == 0, result.stderr
    assert ("snap install chromium" in result.stderr) == (browser is None)
    assert "chromium" not in machine.lines()[1] and "redis-server" in machine.lines()[1]


def test_what_is_there_needs_neither_root_nor_apt(machine):
    machine.add("dpkg-query", "#!/bin/sh\necho install ok installed\n")
    assert machine.install("build", "test").returncode == 0
    assert machine.lines() == []
