"""The data of the benches, cached, because the import of scikit-learn takes a second."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np

import problems
from ohmcarlo.spec import Points
from ohmcarlo_hdl.soc.design import HOST, files_digest

from .cache import digest, published

FILE = "points.npz"
PACKAGES = ("numpy", "scipy", "scikit-learn")


def wdbc_half() -> Points:
    """``problems.wdbc_half()``, made once for these sources."""
    sources = [*HOST.glob("datasets/**/*.py"), *HOST.glob("spec/**/*.py")]
    own = files_digest(Path(problems.__file__).parent, [Path(problems.__file__)])
    key = digest(files_digest(HOST, sources), own, [version(name) for name in PACKAGES])

    def make(folder: Path) -> None:
        points = problems.wdbc_half()
        np.savez(folder / FILE, inputs=points.inputs, labels=points.labels, offsets=points.offsets)

    with np.load(published(f"points-{key}", make) / FILE) as kept:
        return Points(kept["inputs"], kept["labels"], kept["offsets"])
