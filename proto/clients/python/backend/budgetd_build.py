"""Builds the wheel with nothing but Python: pip asks these functions (PEP 517, PEP 660).
Pure Python, no dependency: a wheel is a zip of the sources and three files about it."""

import base64
import hashlib
import pathlib
import re
import tarfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def field(name):
    return re.search(rf'^{name} = "(.*)"$', PROJECT, re.MULTILINE)[1]


NAME = f"budgetd-{field('version')}"
INFO = f"{NAME}.dist-info"
WHEEL = "Wheel-Version: 1.0\nGenerator: budgetd\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def metadata():
    head = "\n".join((
        "Metadata-Version: 2.1", "Name: budgetd", f"Version: {field('version')}",
        f"Summary: {field('description')}", "License: Apache-2.0",
        f"Requires-Python: {field('requires-python')}",
        "Description-Content-Type: text/markdown"))
    return f"{head}\n\n{(ROOT / 'README.md').read_text(encoding='utf-8')}"


def sources():
    """The package's files: path in the wheel, content."""
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix in (".py", ".typed"):
            yield path.relative_to(ROOT / "src").as_posix(), path.read_bytes()


def write(folder, files):
    rows = []
    name = f"{NAME}-py3-none-any.whl"
    about = {f"{INFO}/METADATA": metadata().encode(), f"{INFO}/WHEEL": WHEEL.encode()}
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, content in {**files, **about}.items():
            # The same bytes each time: no clock goes in.
            wheel.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            rows.append(f"{path},sha256={digest.decode()},{len(content)}")
        rows.append(f"{INFO}/RECORD,,")
        wheel.writestr(zipfile.ZipInfo(f"{INFO}/RECORD"), "\n".join(rows) + "\n")
    return name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return write(wheel_directory, dict(sources()))


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return write(wheel_directory, {"budgetd.pth": f"{ROOT / 'src'}\n".encode()})


def build_sdist(sdist_directory, config_settings=None):
    name = f"{NAME}.tar.gz"
    with tarfile.open(pathlib.Path(sdist_directory) / name, "w:gz") as archive:
        for part in ("pyproject.toml", "README.md", "backend", "src"):
            archive.add(ROOT / part, f"{NAME}/{part}",
                        filter=lambda one: None if "__pycache__" in one.name else one)
    return name
