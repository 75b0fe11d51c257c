"""What deploy/package makes: what is in it, and what it does where it is installed. The programs are those of
BUDGETD_BIN and BUDGETCTL_BIN, which have to be linked as they are packaged (BUDGETD_STANDALONE=1).
BUDGETD_TREES="bookworm trixie noble" installs into fresh trees of those suites too; BUDGETD_OLDER_PACKAGE is a package
of the version before, to upgrade from."""

import gzip
import hashlib
import json
import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import LONG, ROOT, eventually, run
from package_tree import SUITES, Tree, tree  # noqa: F401 (a fixture)

DEPLOY = ROOT / "deploy"
PACK_SECONDS = 300
UNIT = (DEPLOY / "systemd" / "budgetd.service").read_text()
# Fast rather than small.
QUICK = {"BUDGETD_PACKAGE_QUICK": "yes", "SOURCE_DATE_EPOCH": "1790000000"}


def pack(folder, budgetd, budgetctl, **environment):
    return run(DEPLOY / "package", folder, timeout=PACK_SECONDS, env={
        **os.environ, "BUDGETD_BIN": budgetd, "BUDGETCTL_BIN": budgetctl, **QUICK, **environment})


@pytest.fixture(scope="module")
def packages(budgetd, budgetctl, tmp_path_factory):
    """The package and the archive."""
    done = pack(tmp_path_factory.mktemp("packages"), budgetd, budgetctl)
    assert done.returncode == 0, done.stderr
    return [Path(line) for line in done.stdout.splitlines()]


def checked(*command, timeout=LONG, **options):
    done = run(*command, timeout=timeout, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def archive(packages, tmp_path_factory):
    """What is in the archive."""
    folder = tmp_path_factory.mktemp("archive")
    checked("tar", "-xzf", packages[1], "-C", folder)
    (only,) = folder.iterdir()
    return only


def test_the_same_sources_make_the_same_files(packages, budgetd, budgetctl, tmp_path):
    again = pack(tmp_path, budgetd, budgetctl).stdout.splitlines()
    assert [Path(path).name for path in again] == [path.name for path in packages]
    for one, other in zip(packages, again):
        assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(
            Path(other).read_bytes()).digest(), one.name


@pytest.mark.parametrize("program, complaint", [
    ("/usr/bin/redis-server", "which other machines do not have: build it with BUDGETD_STANDALONE=1"),
])
def test_a_program_that_needs_more_is_refused(tmp_path, budgetctl, program, complaint):
    done = pack(tmp_path, program, budgetctl)
    assert done.returncode == 1 and complaint in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_fields_and_contents(packages, budgetd):
    package = packages[0]
    version = checked(budgetd, "--version").strip()
    fields = dict(line.split(": ", 1) for line in checked(
        "dpkg-deb", "--field", package).splitlines() if not line.startswith(" "))
    assert fields["Package"] == "budgetd" and fields["Version"] == f"{version}-1"
    assert package.name == f"budgetd_{version}-1_{fields['Architecture']}.deb"
    needed = {part.split()[0] for part in fields["Depends"].split(",")}
    assert needed == {"adduser", "init-system-helpers", "tzdata", "libc6", "libcurl4", "libgcc-s1",
                      "libprotobuf-c1", "libsqlite3-0", "libssl3", "libstdc++6", "libyaml-0-2"}
    listing = {}
    for line in checked("dpkg-deb", "--contents", package).splitlines():
        mode, owner, _, _, _, path, *_ = line.split()
        assert owner == "root/root", line
        listing[path.removeprefix(".")] = mode
    assert all(mode[8] != "w" for mode in listing.values()), "nothing is everybody's to change"
    for path in ("/usr/bin/budgetd", "/usr/bin/budgetctl"):
        assert listing[path] == "-rwxr-xr-x"
    for path in ("/etc/budgetd/config.yaml", "/etc/default/budgetd",
                 "/lib/systemd/system/budgetd.service", "/usr/share/man/man8/budgetd.8.gz",
                 "/usr/share/man/man1/budgetctl.1.gz", "/usr/share/doc/budgetd/copyright",
                 "/usr/share/bash-completion/completions/budgetctl",
                 "/usr/share/bash-completion/completions/budgetd",
                 f"/usr/share/budgetd/budgetd-{version}-py3-none-any.whl"):
        assert listing[path] == "-rw-r--r--", path
    conffiles = checked("dpkg-deb", "--info", package, "conffiles").split()
    assert conffiles == [path for path in sorted(listing) if path.startswith("/etc/")
                         and not path.endswith("/")]


def test_pages_have_every_option(archive, budgetd, budgetctl):
    for program, page in ((budgetd, "man8/budgetd.8.gz"), (budgetctl, "man1/budgetctl.1.gz")):
        text = gzip.decompress((archive / "share/man" / page).read_bytes()).decode()
        text = text.replace("\\-", "-")
        names = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", checked(program, "--help"), re.MULTILINE))
        assert len(names) >= 9
        assert {name for name in names if f'"{name}' not in text and f", {name}" not in text} == set()
        # What roff would take for a macro of its own.
        assert not re.search(r"^[.'](?!TH|SH|SS|TP|PP|B |br|nf|fi)", text, re.MULTILINE)
    subcommands = re.findall(r"^  ([a-z][a-z-]*) {2,}", checked(budgetctl, "--help"), re.MULTILINE)
    assert len(subcommands) >= 11 and all(f'"budgetctl {one}' in text for one in subcommands)


def test_links_lead_somewhere(archive):
    documents = archive / "share/doc/budgetd"
    for page in documents.rglob("*.md"):
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            # Of the sources nothing is packed.
            if not re.match(r"https?:|(\.\./)*(Tests|Sources)/", link):
                assert (page.parent / link).exists(), f"{page.relative_to(documents)}: {link}"


def test_the_wheel_is_what_pip_takes(archive, tmp_path):
    (wheel,) = (archive / "share/budgetd").iterdir()
    checked(sys.executable, "-m", "pip", "install", "-q", "--no-index", "--disable-pip-version-check",
            "--target", tmp_path, wheel)
    said = checked(sys.executable, "-c", "import budgetd; print(budgetd.__version__, budgetd.__file__)",
                   env={"PYTHONPATH": str(tmp_path)})
    version, place = said.split()
    assert f"-{version}-" in wheel.name and Path(place).is_relative_to(tmp_path)


def test_completion_is_a_script_that_completes(archive):
    script = archive / "share/bash-completion/completions/budgetctl"
    found = checked("bash", "-c", f"""
        PATH={shlex.quote(str(archive / "bin"))}:$PATH; source {shlex.quote(str(script))}
        COMP_WORDS=(budgetctl fil) COMP_CWORD=1 COMP_LINE='budgetctl fil' COMP_POINT=13
        $(complete -p budgetctl | sed 's/.*-F \\([^ ]*\\).*/\\1/') budgetctl fil budgetctl
        printf '%s\\n' "${{COMPREPLY[@]}}" """)
    assert found.split() == ["filter"]


def test_lintian_has_no_error(packages):
    done = run("lintian", "--allow-root", "--fail-on", "error", packages[0], timeout=PACK_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr


def setting(name):
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


def as_the_unit_does(tree):
    """The line that systemd runs, as whom and with what it runs it."""
    (user,), (command,) = setting("User"), setting("ExecStart")
    given = list(setting("Environment"))
    (options,) = setting("EnvironmentFile")
    lines = (tree.files / options.lstrip("-/")).read_text().splitlines()
    given += [line for line in lines if line and not line.startswith("#")]
    folders = " ".join(f"/run/{name}" for name in setting("RuntimeDirectory"))
    tree.run(f"install -d -o {user} -g {user} {folders}")
    return tree.start(f"setpriv --reuid {user} --regid {user} --init-groups --no-new-privs "
                      f"--bounding-set -all env {shlex.join(given)} {command}")


def first_steps():
    """The commands of install.md from the package to the first denied request."""
    text = (DEPLOY / "install.md").read_text()
    block = re.search(r"first denied request\n```sh\n(.*?)```", text, re.DOTALL)[1]
    return [line.split(" #")[0].strip() for line in block.splitlines()]


def older(package, folder):
    """The package of a version before, whose defaults were others: this one with another number, or the
    one that BUDGETD_OLDER_PACKAGE names."""
    tree = folder / "older"
    given = os.environ.get("BUDGETD_OLDER_PACKAGE")
    checked("dpkg-deb", "--raw-extract", given or package, tree)
    control = tree / "DEBIAN/control"
    if not given:
        control.write_text(re.sub("^Version: .*$", "Version: 0.1.0-1", control.read_text(),
                                  flags=re.MULTILINE))
    with open(tree / "etc/default/budgetd", "a") as defaults:
        defaults.write("# Of an older version.\n")
    target = folder / "budgetd_0.1.0-1_any.deb"
    checked("dpkg-deb", "-Znone", "--root-owner-group", "--build", tree, target)
    return target


def install(tree, package, name):
    (tree.files / "tmp" / name).write_bytes(package.read_bytes())
    if tree.is_online:
        tree.run("test -e /var/lib/apt/lists/lock || apt-get -qq update")
        return tree.run(f"DEBIAN_FRONTEND=noninteractive apt-get -qq install -y /tmp/{name}")
    return tree.run(f"dpkg --force-unsafe-io --install /tmp/{name}")


def owned(tree, path):
    return tree.run(f"stat -c '%U:%G %a' {path}").strip()


def test_installed_started_upgraded_removed_and_purged(packages, tree, tmp_path):
    assert "not found" in tree.run("swift --version", status=127)
    install(tree, older(packages[0], tmp_path), "older.deb")
    assert owned(tree, "/etc/budgetd") == "root:budgetd 750"
    assert owned(tree, "/etc/budgetd/config.yaml") == "root:budgetd 640"
    assert owned(tree, "/var/lib/budgetd") == "budgetd:budgetd 750"
    assert tree.run("getent passwd budgetd").strip().endswith("/usr/sbin/nologin")
    wanted = "/etc/systemd/system/multi-user.target.wants/budgetd.service"
    assert tree.run(f"readlink {wanted}").strip() == "/lib/systemd/system/budgetd.service"

    server = as_the_unit_does(tree)
    apt, budgets, record, filtered, edit = first_steps()
    assert apt.startswith("sudo apt install ./budgetd_") and "reload budgetd" in edit
    assert "$100.00 / 1d" in tree.run(budgets)
    assert "recorded $100.00" in tree.run(record)
    assert "denied" in tree.run(filtered, status=2)
    config = tree.files / "etc/budgetd/config.yaml"
    config.write_text(config.read_text().replace("budget_limit: 100 ", "budget_limit: 200 "))
    (reload,) = setting("ExecReload")
    tree.run(reload.replace("$MAINPID", "$(pidof budgetd)"))
    tree.run(f"for i in $(seq 100); do {filtered} && exit; sleep 0.1; done; exit 1")

    # The user's file stays, the untouched one is the new version's, and so is the program.
    assert "# Of an older version." in (tree.files / "etc/default/budgetd").read_text()
    tree.run("chmod 600 /etc/budgetd/config.yaml && chown budgetd /etc/budgetd/config.yaml")
    install(tree, packages[0], "newer.deb")
    tree.stop(server)
    assert "budget_limit: 200 " in config.read_text()
    assert owned(tree, "/etc/budgetd/config.yaml") == "budgetd:budgetd 600"
    assert "# Of an older version." not in (tree.files / "etc/default/budgetd").read_text()
    server = as_the_unit_does(tree)
    assert "$200.00 / 1d" in tree.run(budgets) and "$100.00" in tree.run(budgets)
    tree.stop(server)

    tree.run("dpkg --remove budgetd")
    assert not (tree.files / "usr/bin/budgetd").exists()
    tree.run("test -e /var/lib/budgetd/ledger.sqlite && test -e /etc/budgetd/config.yaml")
    tree.run("touch /etc/budgetd/access.yaml && dpkg --purge budgetd")
    tree.run("! getent passwd budgetd && ! getent group budgetd")
    left = tree.run("find /etc /lib/systemd /usr/bin /usr/share /var/lib -maxdepth 5 "
                    "-name '*budgetd*' -not -path '*/dpkg/*'")
    assert left == ""


def under_systemd(packages, suite, work):
    """The package where the suite's systemd is process 1: what it forbids, hands over and keeps open."""
    tree = Tree(suite, work, boots=True)
    try:
        eventually(lambda: (tree.files / "run/systemd/notify").exists(), LONG, "systemd is there")
        tree.run("systemctl is-system-running --wait || true")
        install(tree, older(packages[0], work), "older.deb")
        assert tree.run("systemctl is-active budgetd").strip() == "active"
        _, budgets, record, filtered, edit = first_steps()
        tree.run(record)
        assert "denied" in tree.run(filtered, status=2)
        config = tree.files / "etc/budgetd/config.yaml"
        config.write_text(config.read_text().replace("budget_limit: 100 ", "budget_limit: 200 "))
        tree.run(edit.split("&& sudo ")[1])
        tree.run(f"for i in $(seq 100); do {filtered} && exit; sleep 0.1; done; exit 1")

        # A secret of systemd's, whose file nobody else reads.
        tree.run("budgetctl access new me --role admin >/tmp/told && sed -n 2p /tmp/told >/tmp/token && "
                 "chmod 600 /tmp/token && mkdir -p /etc/credstore && "
                 "(echo clients:; sed -n '/  - name/,$p' /tmp/told) >/etc/credstore/budgetd.access.yaml && "
                 "chmod 600 /etc/credstore/budgetd.access.yaml && cp /etc/default/budgetd /tmp/default && "
                 "echo BUDGETD_ACCESS_FILE=/run/credentials/budgetd.service/access.yaml >>/etc/default/budgetd "
                 "&& systemctl restart budgetd")
        assert "UNAUTHENTICATED" in tree.run(budgets, status=1)
        assert "$200.00 / 1d" in tree.run(f"BUDGETD_TOKEN_FILE=/tmp/token {budgets}")
        tree.run("cp /tmp/default /etc/default/budgetd")

        # An upgrade restarts it.
        before = tree.run("pidof budgetd")
        install(tree, packages[0], "newer.deb")
        assert tree.run("systemctl is-active budgetd").strip() == "active"
        assert tree.run("pidof budgetd") != before and "$100.00" in tree.run(budgets)

        # With sockets that outlive it nobody is refused. A connection that was taken and had asked nothing
        # yet is closed by a drain: the same record again adds nothing twice.
        units = "budgetd.socket budgetd-http.socket budgetd-unix.socket"
        tree.run(f"systemctl stop budgetd && systemctl enable --now {units} && systemctl start budgetd")
        tree.run("for i in $(seq 6); do systemctl restart budgetd; sleep 0.2; done & for i in $(seq 40); do "
                 "until budgetctl --timeout 30 record --provider openai --cost 1 --key restart-$i; do "
                 "test $? = 70 || exit 1; done; done; wait")
        assert "$140.00" in tree.run(f"{budgets} --server unix:/run/budgetd/rpc.sock")
        tree.run("dpkg --purge budgetd")
        # Of the system's own some may fail where there is no kernel of its own.
        assert tree.run("systemctl list-units --failed --no-legend 'budgetd*'") == ""
        assert tree.run("rm -r /etc/credstore && find /etc /run /var/lib -xdev -name '*budgetd*' "
                        "-not -path '*/dpkg/*'") == ""
    finally:
        tree.close()


if SUITES:
    @pytest.mark.parametrize("suite", SUITES)
    def test_systemd_runs_it(packages, suite, tmp_path):
        under_systemd(packages, suite, tmp_path)


def test_the_archive_runs_from_any_folder(packages, tree):
    (tree.files / "tmp/archive.tar.gz").write_bytes(packages[1].read_bytes())
    if tree.is_online:
        # Names of the one that install.md lists.
        tree.run("apt-get -qq update && apt-get -qq install -y libsqlite3-0 libyaml-0-2 "
                 "libprotobuf-c1 libssl3 libstdc++6")
    place = "/home/a user/tools"
    tree.run(f"mkdir -p '{place}' && tar -xzf /tmp/archive.tar.gz -C '{place}'")
    (folder,) = (tree.files / place.lstrip("/")).iterdir()
    path = f"{place}/{folder.name}"
    server = tree.start(
        f"setpriv --reuid 12345 --regid 12345 --clear-groups '{path}/bin/budgetd' --data-dir /tmp/spend "
        f"--config '{path}/share/doc/budgetd/deploy/example.config.yaml' --listen unix:/tmp/rpc.sock")
    assert "ready       yes" in tree.run(f"'{path}/bin/budgetctl' --server unix:/tmp/rpc.sock ping")
    tree.stop(server)
    for name in ("LICENSE", "COPYRIGHT"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o644


def test_the_unit_is_good_and_as_hard_as_said(tree):
    if not (tree.files / "usr/bin/systemd-analyze").exists():
        tree.run("apt-get -qq update && apt-get -qq install -y --no-install-recommends systemd adduser")
    units = "/lib/systemd/system"
    for path in (DEPLOY / "systemd").iterdir():
        (tree.files / units.lstrip("/") / path.name).write_text(path.read_text())
    # That the program is there is looked at too, and that others may run it.
    tree.run("ln -s /bin/true /usr/bin/budgetd")
    tree.run("adduser --system --group --no-create-home budgetd")
    assert tree.run(f"systemd-analyze verify --man=no {units}/budgetd*") == ""
    told = tree.run("systemd-analyze security --offline=true --threshold=15 "
                    f"{units}/budgetd.service")
    level = re.search(r"Overall exposure level for budgetd.service: ([\d.]+)", told)[1]
    assert f"`systemd-analyze security budgetd`: {level}" in (DEPLOY / "install.md").read_text()


def test_times_of_the_unit_fit_those_of_the_server(budgetd):
    told = checked(budgetd, "--help")
    within = int(re.search(r"drains and ends the process,\s+within\s+(\d+)\s+s", told)[1])
    assert int(setting("TimeoutStopSec")[0]) > within
    connections = int(re.search(r"Connections at one time\. \(default: (\d+)\)", told)[1])
    assert int(setting("LimitNOFILE")[0]) > 2 * connections
    codes = re.search(r"Exit codes:.*?(\d+) usage,.*?(\d+)\s+the config is refused", told, re.DOTALL)
    assert setting("RestartPreventExitStatus")[0].split() == list(codes.groups())


@pytest.mark.parametrize("file", [
    "debian/default", "systemd/budgetd.service", "Containerfile", "compose.yaml",
    "kubernetes/statefulset.yaml", "install.md", "upgrade.md"])
def test_variables_are_options(budgetd, file):
    told = json.loads(checked(budgetd, "--experimental-dump-help"))
    options = {name["name"] for one in told["command"]["arguments"] for name in one["names"]}
    variables = {f"BUDGETD_{name.upper().replace('-', '_')}" for name in options}
    plugin = ROOT / "proto/clients/python/src/budgetd/litellm/_environment.py"
    variables |= {"BUDGETD_SERVER"} | set(re.findall(
        r"^#   (BUDGETD_[A-Z_]+)", (DEPLOY / "package").read_text(), re.MULTILINE)) | set(re.findall(
            r'"(BUDGETD_[A-Z_]+)"', plugin.read_text()))
    named = set(re.findall(r"BUDGETD_[A-Z0-9_]+", (DEPLOY / file).read_text()))
    assert named - variables == set() and named
