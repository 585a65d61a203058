"""Every advice of a refused command can be followed: the advised command works."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.boards.link import ports
from ohmcarlo.cli import app as cli
from ohmcarlo.errors import UsageError
from ohmcarlo.runs.config import MAX_STEPS
from ohmcarlo.runs.verdict import judge
from ohmcarlo.spec import Geometry
from ohmcarlo.sweeps.description import read_description
from ohmcarlo.sweeps.planning import plan
from ohmcarlo.tasks import TASKS

STUCK = "toy2d --array physics --preset rram-1t1r,stuck_fraction=0.1"
Train = Callable[[str], str]

# What is refused, what the message says, and the commands that it advises.
ADVICE = [
    ("wide.csv", "at most 28 inputs, and no array has room for more than 252; use --features 27, "
     "or at most --features 251 with --pairs 256", ["wide.csv --features 27"]),
    ("wide.csv --whiten", "use --features 27", ["wide.csv --whiten --features 27"]),
    ("wide.csv --pairs 256", "at most 252 inputs, and no array has room for more than 252; use "
     "--features 251$", []),
    ("numbers.csv --regression --pairs 32", "use --features 27, or --pairs 45 or more",
     ["numbers.csv --regression --pairs 32 --features 27", "numbers.csv --regression --pairs 45"]),
    ("toy2d --pairs 6", "at most 2 inputs; use --features 1, or --pairs 7 or more",
     ["toy2d --pairs 6 --features 1", "toy2d --pairs 7"]),
    ("toy2d --pairs 5", "at most 1 input; use --pairs 7 or more", ["toy2d --pairs 7"]),
    ("cartpole --pairs 8", "at most 4 inputs; use --pairs 9 or more", ["cartpole --pairs 9"]),
    ("toy2d --pairs 257", "2 to 256 pairs; 256 hold at most --features 251", []),
    ("toy2d --pairs 3", "choose 1 to 2, or --pairs 5 or more",
     ["toy2d --features 1 --pairs 3 --entropy-pairs 1"]),
    ("toy2d --hidden 40", "use --hidden 27 or less, or --pairs 45 or more",
     ["toy2d --hidden 27", "toy2d --hidden 40 --pairs 45"]),
    ("toy2d --rows 3", "needs 4 to 65536 rows", ["toy2d --rows 4"]),
    ("toy2d --rows 8 --chains 4", "use --rows 16 or more, or fewer chains",
     ["toy2d --rows 16 --chains 4", "toy2d --rows 8 --chains 2"]),
    ("toy2d --hidden 3 --rows 15 --chains 1", "use --rows 16 or more$",
     ["toy2d --hidden 3 --rows 16 --chains 1"]),
    ("toy2d --sigma-p 0.01", "choose 0.05 to 1000", ["toy2d --sigma-p 0.05",
     "toy2d --sigma-p 1000"]),
    ("toy2d --gamma 0.5", "choose 1 to 2000 µS", ["toy2d --gamma 1", "toy2d --gamma 2000"]),
    ("toy2d --tau 0", "choose 0.1 to 10000 µS", ["toy2d --tau 0.1", "toy2d --tau 10000"]),
    ("toy2d --rho 0", r"\(0, 1\]; 1 is the random walk", ["toy2d --rho 1"]),
    ("toy2d --least-rho 0.8", "choose 0.05 to 0.7, or --rho", ["toy2d --least-rho 0.05",
     "toy2d --least-rho 0.7", "toy2d --rho 0.8"]),
    ("toy2d --least-rho 0.3 --rho 0.5", "leave out one of them", ["toy2d --least-rho 0.3",
     "toy2d --rho 0.5"]),
    ("toy2d --least-rho 0.3 --whiten", "without --paper, --whiten and --no-whiten; choose --rho",
     ["toy2d --least-rho 0.3", "toy2d --whiten --rho 0.3"]),
    ("iris --least-rho 0.3", "choose --rho here", ["iris --rho 0.3"]),
    ("toy2d --wide-every 256", "choose 1 to 255, or 0", ["toy2d --wide-every 255",
     "toy2d --wide-every 0"]),
    ("toy2d --seed -1", "choose 0 to 4294967295", ["toy2d --seed 4294967295"]),
    ("toy2d --repeats 3", "a power of two from 1 to 16", ["toy2d --repeats 2"]),
    ("toy2d --dot-products x", "choose array or codes", ["toy2d --dot-products codes"]),
    ("toy2d --kernel x", "choose corrected or published", ["toy2d --kernel published"]),
    ("toy2d --paper --whiten", "leave out --paper or --whiten", ["toy2d --paper",
     "toy2d --whiten"]),
    ("toy2d --paper --adapt", "leave out --adapt, or --paper$", ["toy2d --adapt"]),
    ("toy2d --rho 1 --kernel published --adapt",
     "leave out --adapt, or --rho 1 and --kernel published$", ["toy2d --adapt"]),
    ("cartpole --adapt", "leave out --adapt$", ["cartpole"]),
    ("cartpole --features 3", "leave out --features", ["cartpole"]),
    ("toy2d --hidden 2 --whiten", "leave out --whiten or use --hidden 0",
     ["toy2d --hidden 2", "toy2d --hidden 0 --whiten"]),
    ("toy2d --hidden 2 --sigma-p auto", "give a number", ["toy2d --hidden 2 --sigma-p 1"]),
    ("toy2d --sigma-p foo=1", "choose among x1, x2, bias", ["toy2d --sigma-p x2=1"]),
    ("toy2d --sigma-p 1 --sigma-p 2", "give it once", ["toy2d --sigma-p 2"]),
    ("toy2d --multi-class one-vs-rest", "leave out --multi-class", ["toy2d"]),
    ("iris --multi-class x", "choose stick-breaking or one-vs-rest",
     ["iris --multi-class stick-breaking"]),
    ("iris --hidden 2", "leave out --hidden", ["iris"]),
    ("diabetes --paper --rho 1", "leave out --no-whiten, --paper, --kernel published and --rho 1",
     ["diabetes"]),
    ("diabetes --features 11", "keep 1 to 10", ["diabetes --features 10"]),
    ("toy2d --array x", "physics:CYCLES", ["toy2d --array physics:1e7"]),
    ("toy2d --array physics:x", "as in physics:1e7, or physics:1e7@0",
     ["toy2d --array physics:1e7@0"]),
    ("toy2d --preset rram-1t1r,stuck_fraction=2", "stuck_fraction: .* 0 to 0.135",
     ["toy2d --preset rram-1t1r,stuck_fraction=0.01"]),
    ("toy2d --preset rram-1t1r,wire_ohm=2", "use --array physics, or leave out wire_ohm",
     ["toy2d --array physics --preset rram-1t1r,wire_ohm=2 --rows 32", "toy2d --preset rram-1t1r"]),
    ("toy2d --backend rtl --array physics", "use --array emulator, or --backend model",
     ["toy2d --array physics --backend model"]),
    (f"{STUCK} --rows 64 --chains 4", "use --chains 1, or --rows 186, or an array with fewer",
     [f"{STUCK} --rows 64 --chains 1", f"{STUCK} --rows 186 --chains 4"]),
    (f"{STUCK} --rows 16 --chains 1", "use --rows 64, or an array with fewer stuck",
     [f"{STUCK} --rows 64 --chains 1"]),
]  # fmt: skip


@pytest.fixture
def train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Train:
    """Run ``train`` for four steps in a folder with two tables; the message of a refused one."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 260))
    for name, table in {
        "wide.csv": np.c_[x, x[:, 0] > 0],
        "numbers.csv": np.c_[x[:, :40], x[:, 0] + rng.normal(size=40)],
    }.items():
        header = ",".join([*(f"g{i}" for i in range(table.shape[1] - 1)), "label"])
        np.savetxt(tmp_path / name, table, delimiter=",", header=header, comments="")
    monkeypatch.chdir(tmp_path)

    def run(options: str) -> str:
        code = cli.main(["train", *options.split(), "--steps", "4"])
        err = capfd.readouterr().err
        assert code in (0, 2), err
        return err.strip().splitlines()[-1] if code else ""

    return run


@pytest.mark.parametrize(("refused", "advice"), [row[:2] for row in ADVICE])
def test_what_a_refusal_advises(refused: str, advice: str, train: Train) -> None:
    assert re.search(advice, train(refused)), train(refused)


@pytest.mark.verify
@pytest.mark.parametrize(
    "advised",
    [*dict.fromkeys(c for row in ADVICE for c in row[2]), "wide.csv --features 251 --pairs 256"],
)
def test_an_advised_command_works(advised: str, train: Train) -> None:
    assert train(advised) == ""


def test_advice_in_a_sweep_names_keys(tmp_path: Path) -> None:
    """Whoever writes a file has no options. Every refusal that a file can bring about is tried."""
    path, problems = tmp_path / "study.toml", []
    for command in (row[0] for row in ADVICE if row[0].split()[0] in TASKS):
        path.write_text(_as_sweep(command))
        with suppress(UsageError):  # a type that is refused as the file is read
            problems += [cell.problem for cell in plan(read_description(path)).cells]
    assert sum(map(bool, problems)) > 20
    assert not [problem for problem in problems if "--" in problem]


def _as_sweep(command: str) -> str:
    """A sweep file with the settings of a command; ``--paper`` and ``--regression`` have none."""
    task, *options = command.split()
    found, names = {"task": f'"{task}"'}, iter(options)
    for name in names:
        key = name.removeprefix("--").replace("-", "_")
        if key in ("whiten", "adapt"):
            found[key] = "true"
        elif key not in ("paper", "regression"):
            value = next(names)
            found[key] = value if re.fullmatch(r"-?[0-9.]+", value) else f'"{value}"'
    return "[base]\nsteps = 4\n" + "\n".join(f"{k} = {v}" for k, v in found.items()) + "\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("many.csv --backend rtl", r"1500 data points .* board has room for 1024; use .*-points"),
        ("many.csv --backend small:rtl", r"1500 data points .* board has room for 512; use "),
        ("toy2d --backend rtl --chains 8", "room for 4: use --chains 4 or less"),
        ("toy2d --backend rtl --hidden 8", "room for 8: use --hidden 7 or less"),
    ],
)
def test_a_board_that_has_no_room_is_not_built(
    options: str, said: str, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build takes minutes."""
    x = np.random.default_rng(0).normal(size=(3000, 3))
    np.savetxt("many.csv", np.c_[x, x[:, 0] > 0], delimiter=",", header="a,b,c,label", comments="")
    for build in ("build_simulated", "build_simulated_small"):
        monkeypatch.setattr(ports, build, lambda *_: pytest.fail("it is built"))
    assert re.search(said, train(f"{options} --no-whiten")), train(options)


def test_advice_of_every_geometry_fits() -> None:
    """The options that a message names describe an array that holds the model; one feature more
    does not fit."""
    seen = set()
    shapes = [(p, c) for p in (2, 5, 32, 256) for c in (1, 4, 31) if c < p]
    for (pairs, coin), inputs in product(shapes, (2, 29, 253, 1001)):
        try:
            Geometry(pairs=pairs, entropy_pairs=coin).require_features(inputs)
        except UsageError as error:
            for most, wide in re.findall(r"--features (\d+)( with --pairs 256)?", str(error)):
                geometry = Geometry(pairs=256 if wide else pairs, entropy_pairs=coin)
                geometry.require_features(int(most) + 1)
                with pytest.raises(UsageError):
                    geometry.require_features(int(most) + 2)
            for way in re.findall(r"--pairs (\d+) or more", str(error)):
                Geometry(pairs=int(way), entropy_pairs=coin).require_features(inputs)
                seen.add("pairs")
            seen.update(re.findall(r"with --pairs 256|--features", str(error)))
    assert seen == {"pairs", "with --pairs 256", "--features"}


def test_the_remedy_of_a_network_with_few_rows_has_rows() -> None:
    values = {
        "accepted": 5, "ess_min": 500.0, "ess_tail_min": 500.0, "rhat_max": 1.0, "hidden": 8,
        "chains": 1, "steps": 200, "rho": 0.98, "kernel": "corrected", "geometry": {"rows": 64},
    }  # fmt: skip
    (reason,) = judge(values).reasons
    assert "use --chains 4 --rows 144" in reason
    Geometry(rows=144, regions=4, row_group=9)
    with pytest.raises(UsageError):
        Geometry(rows=64, regions=4, row_group=9)
    (enough,) = judge(values | {"geometry": {"rows": 256}}).reasons
    assert enough.endswith("use --chains 4")


def test_advised_steps_are_steps_that_a_run_can_have() -> None:
    values = {
        "accepted": 5, "ess_min": 1.0, "ess_tail_min": 0.01, "rhat_max": 1.0, "hidden": 0,
        "chains": 4, "steps": 20_000, "rho": 0.8, "kernel": "corrected", "whiten": True,
    }  # fmt: skip
    (reason,) = judge(values).reasons
    (steps,) = re.findall(r"--steps (\d+)", reason)
    assert int(steps) == MAX_STEPS
