"""Sweep files: what their blocks describe, what is refused, and which cells are the same."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.errors import UsageError
from ohmcarlo.runs.config_reading import setting_types
from ohmcarlo.sweeps.curves import QUANTITIES
from ohmcarlo.sweeps.description import CONSTANT, constant_names, read_description
from ohmcarlo.sweeps.meaning import meaning_of, unit_of
from ohmcarlo.sweeps.planning import plan
from ohmcarlo.sweeps.table import COLUMNS

BASE = '[base]\ntask = "toy2d"\narray = "physics"\npreset = "relative-5pct"\nsteps = 500\n'


def described(tmp_path: Path, text: str):
    path = tmp_path / "study.toml"
    path.write_text(text)
    return read_description(path)


def test_one_at_a_time_keeps_the_others_at_the_base(tmp_path):
    text = "[one_at_a_time]\nrows = [64, 128]\npreset.d2d_rel = [0.01, 0.02, 0.03]\n"
    found = described(tmp_path, f"seeds = 2\n{BASE}{text}")
    values = [(p.get("rows"), p.get("preset.d2d_rel"), p["seed"]) for p in found.points]
    assert values == [
        (rows, d2d, seed)
        for rows, d2d in [
            (None, None), (64, None), (128, None), (None, 0.01), (None, 0.02), (None, 0.03),
        ]
        for seed in (0, 1)
    ]  # fmt: skip
    assert found.swept == ("rows", "preset.d2d_rel", "seed")
    assert plan(found).reference == {"rows": 256, "preset.d2d_rel": 0.0, "seed": 0}


def test_a_grid_has_every_combination_and_zip_walks_together(tmp_path):
    text = f'{BASE}[grid]\nrows = [64, 128]\nkernel = ["corrected", "published"]\n'
    found = described(tmp_path, text + "[zip]\nrows = [16, 32]\nseed = [5, 6]\n")
    pairs = [(p["rows"], p.get("kernel"), p.get("seed")) for p in found.points]
    assert pairs == [
        (64, "corrected", None), (64, "published", None),
        (128, "corrected", None), (128, "published", None), (16, None, 5), (32, None, 6),
    ]  # fmt: skip


def test_single_cells_and_blocks_with_seeds_of_their_own(tmp_path):
    text = f"seeds = 2\n{BASE}[[cell]]\nrows = 64\nseeds = [7]\n[[cell]]\nrows = 128\n"
    found = described(tmp_path, text)
    assert [(p["rows"], p["seed"]) for p in found.points] == [(64, 7), (128, 0), (128, 1)]


def test_equal_cells_are_one(tmp_path):
    """Duplicates: a list that holds the value of the base, 3 and 3.0, a constant as the preset
    has it. The control is a value that differs."""
    text = (
        f"{BASE}[one_at_a_time]\nrows = [256, 256.0]\npreset.d2d_rel = [0, 0.0]\ntau = [50, 50.0]\n"
    )
    cells = plan(described(tmp_path, text)).cells
    assert [cell.parameters["tau"] for cell in cells] == [None, 50.0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rowz = [3]", "line 7: the key 'rowz' is unknown (did you mean rows or rho?)"),
        ("preset.d2rel = [3]", "did you mean preset.d2d_rel"),
        ("d2d_rel = [3]", "did you mean preset.d2d_rel"),
        ('rows = ["many"]', "line 7: rows = \"many\": give a whole number"),
        ("tau = [nan]", "line 7: tau = nan: give a finite number"),
        ("preset.d2d_rel = [-inf]", "d2d_rel = -inf: give a finite number"),
        ("seed = [9223372036854775808]", "line 7: seed = 9223372036854775808: give"),
        ("seeds = 2\nseed = [5, 6]", "seeds gives the seeds of this block: leave out one"),
        ("rows = []", "line 7: rows = []: give at least one value"),
        ("rows = {from = 1, to = 2, stps = 3}", "did you mean steps?"),
        ("rho = {from = 0, to = 1, steps = 3, scale = \"log\"}", "needs numbers above 0"),
        ("seeds = 0", "seeds = 0: give a number of seeds"),
        ("seeds = true", "seeds = true: give a number of seeds"),
        ("rows = {form = 1, to = 2, steps = 3}", "did you mean from?"),
        ("rows = {from = 1, steps = 3}", "rows: to is missing: give a number"),
        ("tau = [1979-05-27]", "tau = 1979-05-27: give a number"),
        ("task = [\"toy2d\"]\nsteps = [2.5]", "line 8: steps = 2.5: give a whole number"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(tmp_path, text, said):
    with pytest.raises(UsageError, match=r"study\.toml, line") as caught:
        described(tmp_path, f"{BASE}[grid]\n{text}\n")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BASE + "rows = [64, 128]\n", "line 6: rows = [64, 128]: give one value: lists and ranges"),
        (BASE + "rho = {from = 0, to = 1, steps = 3}\n", "{from = 0, to = 1, steps = 3}: give one"),
        (BASE + "[cell]\nsteps = [1, 2]\n", "line 7: steps = [1, 2]: give one value"),
        (BASE + "[[grid]]\nrows = [8]\n[[grid]] # two\nrows = []\n", "line 9: rows = []"),
        (BASE + "[grid]\nrows = [\n  64,\n]\n[zip]\nrows = [0.5]\n", "line 11: rows = 0.5"),
        (BASE + "[grid]\npreset = {d2d_rel = [true]}\n", "line 6: preset.d2d_rel = true"),
        (BASE + "[grid.preset]\nd2d = [0.1]\n", "line 6: a preset has no constant 'd2d'"),
        ("base.task = \"toy2d\"\ngrid.rows = []\n", "line 2: rows = []"),
        ("a = " + "[" * 5000, "it nests too deep"),
    ],
)  # fmt: skip
def test_the_line_is_that_of_the_block_with_the_error(tmp_path, text, said):
    """A key may stand in several blocks; the first is not always the wrong one."""
    with pytest.raises(UsageError, match=r"study\.toml") as caught:
        described(tmp_path, text)
    assert said in str(caught.value)


@pytest.mark.parametrize("block", ["zip", "grid", "one_at_a_time", "cell"])
def test_a_block_without_lists_is_one_cell(tmp_path, block):
    found = described(tmp_path, f"{BASE}[{block}]\nrows = 64\nseeds = [3]\n")
    assert found.points[-1]["rows"] == 64 and len(found.points) == 1


def test_names_that_do_not_exist_are_known_before_the_work(tmp_path):
    text = '[grid]\npreset = ["relative-5pct", "relative-6pct"]\n[cell]\nkind = "regression"\n'
    good, preset, kind = plan(described(tmp_path, BASE + text)).cells
    assert not good.problem
    assert "preset 'relative-6pct' is unknown" in preset.problem
    assert kind.problem == "kind = regression: toy2d is of kind supervised; remove the line of kind"


def test_a_wrong_table_is_named(tmp_path):
    with pytest.raises(UsageError, match="line 1: 'bse' is no part of a sweep"):
        described(tmp_path, "[bse]\n")
    with pytest.raises(UsageError, match="line 1: rows is a setting: write it below"):
        described(tmp_path, f"rows = 3\n{BASE}")
    with pytest.raises(UsageError, match="differ in length: rows 2, seed 1"):
        described(tmp_path, f"{BASE}[zip]\nrows = [1, 2]\nseed = [1]\n")


def test_impossible_points_are_known_before_they_are_computed(tmp_path):
    columns, rows = [f"c{j}" for j in range(33)], np.random.default_rng(0).normal(size=(40, 33))
    lines = [",".join(f"{value:.3f}" for value in row) + f",{i % 2}" for i, row in enumerate(rows)]
    (tmp_path / "wide.csv").write_text("\n".join([",".join([*columns, "class"]), *lines]))
    text = (
        '[base]\ntask = "wide.csv"\n[grid]\npairs = 32\nfeatures = [15, 33]\n'
        "[one_at_a_time]\npreset.slow_share = [0.1]\n"
    )
    cells = plan(described(tmp_path, text)).cells
    wide, slow = (cell for cell in cells if cell.problem)
    assert wide.parameters == {"pairs": 32, "features": 33, "preset.slow_share": 0.0}
    assert "34 inputs" in wide.problem and "32 pairs" in wide.problem
    assert wide.problem.endswith("use features = 27, or pairs = 38 or more")
    assert slow.problem == 'the emulated array has no slow_share: use array = "physics"'
    assert len(cells) == 4


@pytest.mark.parametrize(("hidden", "preset"), [(0, "relative-5pct"), (2, "relative-2pct")])
def test_constants_change_the_usual_preset_of_the_model(tmp_path, hidden, preset):
    text = f'[base]\ntask = "toy2d"\nhidden = {hidden}\n[grid]\npreset.d2d_rel = [0.01, 0.02]\n'
    cells = plan(described(tmp_path, text)).cells
    assert [cell.config.preset for cell in cells] == [f"{preset},d2d_rel={d}" for d in (0.01, 0.02)]


def test_the_page_has_every_column(request):
    page = (request.config.rootpath / "docs" / "sweeps.md").read_text(encoding="utf-8")
    lines = [f"| `{column.name}` | {column.meaning} |" for column in COLUMNS]
    assert "\n".join(lines) in page
    curves = [f"| `{one.name}` | {one.title} | {one.unit or '1'} |" for one in QUANTITIES]
    assert "\n".join(curves) in page


def test_every_key_has_a_meaning():
    """Of the table's columns and of the coordinates of the draws."""
    keys = [*setting_types(), *(CONSTANT + name for name in constant_names())]
    assert all(len(meaning_of(key)) > 10 for key in keys)
    assert meaning_of("preset.d2d_rel").endswith(", fraction of g")
    assert unit_of("preset.wire_ohm") == "Ω per cell" and unit_of("tau") == "µS"
    assert all(unit_of(CONSTANT + name) for name in constant_names())


def test_examples_of_the_page_are_sweep_files(request, tmp_path):
    page = (request.config.rootpath / "docs" / "sweeps.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^ {4}.*\n|^\n)+", page, flags=re.M)
    files = [textwrap.dedent(block) for block in blocks if "[base]" in block]
    assert len(files) == 2
    for text in files:
        assert described(tmp_path, text).points
