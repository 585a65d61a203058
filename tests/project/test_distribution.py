"""The wheel and the sdist: complete and usable; the wheel from the sdist equals that of a
checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from email import message_from_string
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "ohmcarlo": ROOT / "host" / "ohmcarlo",
    "ohmcarlo_hdl": ROOT / "hdl" / "ohmcarlo_hdl",
    "ohmcarlo_rtl": ROOT / "rtl_gen" / "ohmcarlo_rtl",
    "ohmcarlo_firmware": ROOT / "firmware" / "src",
    "ohmcarlo_driver": ROOT / "firmware" / "driver",
}
LEFT_OUT = {".pyc", ".md", ".nbi", ".nbc"}
IGNORED = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
KEYS = """
import json, sys
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.soc.design import design_hash
from ohmcarlo_rtl import sources
from ohmcarlo_rtl.bitstream.request import request_of
from ohmcarlo_rtl.verilated.board import keys
found = [design_hash(CoreConfig()), keys({"rows": 64}), request_of("hx8k").key([])]
print(json.dumps([sources.__file__, sources.in_checkout(), found]))
"""


def build(what: str, folder: Path, out: Path) -> Path:
    """The distribution, built by the build system that pyproject.toml names."""
    assert int(version("setuptools").split(".")[0]) >= 77, "pip install --editable '.[dev]'"
    code = f"import sys; from setuptools import build_meta as b; print(b.build_{what}(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(out)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of the unpacked sdist."""
    copy = tmp_path_factory.mktemp("checkout") / "ohmcarlo"
    shutil.copytree(ROOT, copy, ignore=IGNORED)
    out = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build("sdist", copy, out)) as archive:
        archive.extractall(out, filter="data")
    (root,) = (path for path in out.iterdir() if path.is_dir())
    return root


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from the sdist."""
    return build("wheel", sdist, tmp_path_factory.mktemp("wheel"))


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.slow
def test_the_wheel_is_complete(wheel: Path) -> None:
    """The wheel contains every file of the five packages, byte for byte, and no other file."""
    found = contents(wheel)
    expected = {
        f"{name}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for name, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in LEFT_OUT
    }
    assert len(expected) > 250
    packed = {name: data for name, data in found.items() if ".dist-info/" not in name}
    assert packed.keys() == expected.keys()
    assert packed == expected


@pytest.mark.slow
def test_a_checkout_gives_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT, copy, ignore=IGNORED)
    assert contents(build("wheel", copy, tmp_path)) == contents(wheel)


@pytest.mark.slow
def test_metadata(wheel: Path) -> None:
    found = contents(wheel)
    (name,) = (n for n in found if n.endswith(".dist-info/METADATA"))
    metadata = message_from_string(found[name].decode())
    assert metadata["License-Expression"] == "Apache-2.0"
    licence = found[f"{name.rpartition('/')[0]}/licenses/{metadata['License-File']}"]
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert set(metadata.get_all("Provides-Extra", [])) >= {"hdl", "fpga", "sim", "report"}


@pytest.mark.slow
def test_the_sdist_has_the_tests_and_the_pages(sdist: Path) -> None:
    for name in ("Makefile", "README.md", "tests/conftest.py", "verif/harness", "docs/design.md",
                 "constraints/README.md", "firmware/native", "CITATION.cff"):  # fmt: skip
        assert (sdist / name).exists(), name


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of the wheel in a separate folder."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run_in(packages: str, folder: Path, *arguments: str) -> str:
    """Output of Python in ``folder`` with the packages of ``path``."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": packages},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_hashes_are_those_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    """A design, a simulated board and a bitstream of the wheel have the same keys as in the
    checkout."""
    checkout = os.pathsep.join(str(ROOT / name) for name in ("host", "hdl", "rtl_gen"))
    (_, here, wanted), (file, there, found) = (
        json.loads(run_in(path, tmp_path, "-c", KEYS)) for path in (checkout, str(installed))
    )
    assert here and not there and Path(file).is_relative_to(installed)
    assert found == wanted


@pytest.mark.hdl
@pytest.mark.slow
def test_the_wheel_builds_the_firmware(installed: Path, tmp_path: Path) -> None:
    """A build in an empty folder gives the image of the checkout."""
    from ohmcarlo_rtl.configs import config_of
    from ohmcarlo_rtl.firmware.image import build_image

    command = ["-m", "ohmcarlo_rtl.firmware", "--config", "compact", "--out", "image"]
    run_in(str(installed), tmp_path, *command)
    assert (tmp_path / "image").read_bytes() == build_image(config_of("compact"))


@pytest.mark.verify
@pytest.mark.hdl
@pytest.mark.slow
def test_a_simulated_board_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """The wheel is installed by pip and used in an empty folder with an empty cache."""
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache")}

    def run(*command: object) -> str:
        words = [str(word) for word in command]
        done = subprocess.run(words, cwd=empty, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(programs / "pip", "install", "--quiet", f"{wheel}[hdl,sim]")
    run(programs / "ohmcarlo", "selftest", "--backend", "rtl")
    assert list((tmp_path / "cache" / "ohmcarlo" / "boards").glob("board-*/board"))
    assert not list(empty.iterdir())
