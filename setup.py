"""The packages of the distribution: three folders of Python, and the C sources of
the firmware and of the bare-metal driver.

Everything else is in pyproject.toml, which cannot map a folder to a package of another name while
it finds the other packages by itself.
"""

from setuptools import find_packages, setup

FOLDERS = ("host", "hdl", "rtl_gen")
PLACES = {
    name: folder for folder in FOLDERS for name in find_packages(folder, include=["ohmcarlo*"])
}
SOURCES = {"ohmcarlo_firmware": "firmware/src", "ohmcarlo_driver": "firmware/driver"}

setup(
    packages=[*PLACES, *SOURCES],
    package_dir={name: f"{folder}/{name.replace('.', '/')}" for name, folder in PLACES.items()}
    | SOURCES,
)
