"""The picture of the figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...array.measured import SIGMA_INTERCEPT_US, SIGMA_SLOPE
from ...array.presets import get_preset
from ...pictures.canvas import new_panels
from ...pictures.devices import (
    draw_ages,
    draw_correlation,
    draw_programming,
    draw_quantiles,
    draw_read_noise,
    draw_sigma,
)
from ...pictures.style import BLUE, GREY, ORANGE
from ..base import Cell
from .cells import PRESET

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture


def draw(array: Cell, sweep: Cell | None, ages: Sequence[dict[str, Any]]) -> Picture:
    figure, axes = new_panels(2, 3, (14.0, 8.2))
    model, found = "model, ", array["found"]
    if sweep is None:
        draw_programming(axes[0][0], found)
    else:
        draw_programming(axes[0][0], sweep["found"], ORANGE, "cells, ")
        law = get_preset(PRESET).set_law
        inside = np.linspace(*law.valid_x, 60)
        axes[0][0].plot(inside, law(inside), color=BLUE, lw=1.3, ls="--", label="model, median")
        draw_sigma(axes[0][1], sweep["found"], ORANGE, "cells, ")
        draw_correlation(axes[1][0], sweep["found"], ORANGE, "cells, ")
    draw_sigma(axes[0][1], found, BLUE, model)
    x = np.linspace(45, 165, 20)
    axes[0][1].plot(x, SIGMA_INTERCEPT_US - SIGMA_SLOPE * x, color=GREY, lw=1.2, ls="--",
                    label=f"sourced: {SIGMA_INTERCEPT_US} - {SIGMA_SLOPE} g")  # fmt: skip
    shapes = {"cells": sweep["shape"]} if sweep else {}
    draw_quantiles(axes[0][2], shapes | {"model": array["shape"]})
    draw_correlation(axes[1][0], found, BLUE, model)
    draw_read_noise(axes[1][1], found, BLUE, "model")
    draw_ages(axes[1][2], ages)
    lag = np.arange(1, 121)
    share, phi = (get_preset(PRESET).constants()[k].value for k in ("slow_share", "slow_phi"))
    axes[1][0].plot(lag, share * phi**lag, color=GREY, lw=1.2, ls="--",
                    label=f"sourced: {share} exp(-lag/{-1 / np.log(phi):.0f})")  # fmt: skip
    for ax in axes.flat:
        ax.legend(fontsize=7, frameon=False)
    return figure
