"""The files of a run belong together: whatever was edited, exchanged or damaged is noticed."""

from __future__ import annotations

import errno
import io
import os
import shutil
import signal
import zipfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chunks import Chunks
from ohmcarlo import files
from ohmcarlo.array.base import Array
from ohmcarlo.boards import Block, ModelBoard
from ohmcarlo.cli import app as cli
from ohmcarlo.errors import OhmcarloError
from ohmcarlo.runs import chain_run, live_notes, setup, stored
from ohmcarlo.runs.chain_run import Interrupted, Silence
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.folder import Checkpoint, RunFolder
from ohmcarlo.runs.kinds import read_complete
from ohmcarlo.runs.stored import CHECKPOINT, MANIFEST, MANIFEST_KEYS, PREVIOUS
from ohmcarlo.runs.supervised.predict import Predictor
from ohmcarlo.runs.train import Outputs, resume_run, train_run

CHUNKS = 4
NEWEST = f"chunk-{CHUNKS - 1:06d}.npz"
FILES = (*(f"chunk-{i:06d}.npz" for i in range(CHUNKS)), CHECKPOINT)
SMALL = TrainConfig("toy2d", steps=90, rows=32, pairs=8, seed=3)

Content = tuple[Checkpoint | None, list[Block]]


def a_block(rng: np.random.Generator) -> Block:
    accepted = rng.random(8) < 0.5
    samples = int(accepted.sum())
    return Block(
        accepted=accepted,
        valid=np.ones(8, bool),
        log_posterior=rng.integers(-99, 0, 8),
        chain=np.zeros(8, np.uint8),
        points=rng.integers(0, 9, 8).astype(np.int32),
        codes=rng.integers(0, 1024, (samples, 6)).astype(np.uint16),
        multiplicity=np.ones(samples, np.int32),
        sample_chain=np.zeros(samples, np.uint8),
        sample_log_posterior=rng.integers(-99, 0, samples),
        status="running",
    )


def a_run(path: Path, seed: int) -> Path:
    """A folder with made-up chunks, checkpoints and manifest."""
    rng = np.random.default_rng(seed)
    with RunFolder.create(path, {name: {} for name in MANIFEST_KEYS}) as folder:
        for i in range(CHUNKS):
            state = {"array.codes": rng.integers(0, 1024, (4, 4))}
            folder.save(
                a_block(rng),
                steps=8 * (i + 1),
                seconds=1.0,
                status="running",
                state=state,
                state_steps=8 * i,
                counters={"board.counters": np.arange(i)},
            )
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return a_run(tmp_path / "run", 1)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return a_run(tmp_path / "other", 2)


def resumed(path: Path, say: Callable[[str], None] = print) -> Content:
    with RunFolder.open(path) as folder:
        blocks = Chunks()
        return folder.resume(say, blocks), blocks


def flat(content: Content) -> list[Any]:
    """Everything that a resume takes from the files."""
    checkpoint, blocks = content
    assert checkpoint is not None
    values = [np.asarray(v).tolist() for v in checkpoint.arrays().values()]
    for block in blocks:
        values += [np.asarray(getattr(block, f.name)).tolist() for f in fields(Block)]
    return values


def test_an_intact_run(run: Path) -> None:
    """The control of the tests below."""
    said: list[str] = []
    checkpoint, blocks = resumed(run, said.append)
    assert checkpoint is not None and said == []
    assert (checkpoint.steps, checkpoint.records, len(blocks)) == (32, 32, CHUNKS)


# -- files of another run or in another place ------------------------------------------------------


@pytest.mark.parametrize("name", [*FILES, PREVIOUS])
def test_a_file_of_another_run(name: str, run: Path, other: Path) -> None:
    if name == PREVIOUS:  # it is read only if the newest is missing
        (run / CHECKPOINT).unlink()
    shutil.copy(other / name, run / name)
    with pytest.raises(
        OhmcarloError, match=rf"{name} belongs to another run: put .* back, or remove"
    ):
        resumed(run)


def test_the_manifest_of_another_run(run: Path, other: Path) -> None:
    shutil.copy(other / MANIFEST, run / MANIFEST)
    with pytest.raises(OhmcarloError, match="belongs to another run"):
        resumed(run)


@pytest.mark.parametrize(
    ("source", "target"),
    [(0, 1), (1, 0), (2, 3), (3, 2), (0, 3)],
)
def test_a_duplicate(source: int, target: int, run: Path) -> None:
    shutil.copy(run / FILES[source], run / FILES[target])
    with pytest.raises(OhmcarloError, match=rf"{FILES[target]} does not follow.*remove"):
        resumed(run)


def test_exchanged_chunks(run: Path) -> None:
    for source, target in ((1, "x"), (2, FILES[1]), ("x", FILES[2])):
        name = FILES[source] if isinstance(source, int) else source
        (run / name).replace(run / target)
    with pytest.raises(OhmcarloError, match=rf"{FILES[1]} does not follow"):
        resumed(run)


def test_a_missing_chunk(run: Path) -> None:
    (run / FILES[1]).unlink()
    with pytest.raises(OhmcarloError, match=rf"{FILES[1]} is damaged \(it is missing\): remove"):
        resumed(run)


def test_a_checkpoint_of_an_earlier_time(run: Path, tmp_path: Path) -> None:
    """A copy of an old checkpoint in the place of the newest one fits: the run goes on from it. One
    that a forger gave other numbers does not."""
    shutil.copy(run / PREVIOUS, run / CHECKPOINT)
    checkpoint, blocks = resumed(run)
    assert checkpoint is not None and checkpoint.steps == 24 and len(blocks) == CHUNKS - 1


def forged(path: Path, **changes: Any) -> None:
    """Change arrays of a file and give it a valid SHA-256 again."""
    arrays, link, _ = stored.read_linked(path)
    stored.write_linked(path, arrays | {k: np.array(v) for k, v in changes.items()}, link)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"chunks": 10**9}, f"chunk-{CHUNKS:06d}.npz is damaged"),
        ({"chunks": -1}, "chunks is negative"),
        ({"chunks": CHUNKS - 1}, "does not follow"),
        ({"chunks": 1.5}, "chunks has type float64"),
        ({"chunks": [1, 2]}, "can only convert"),
        ({"records": 33}, "counts other steps"),
        ({"samples": 0}, "counts other steps"),
        ({"steps": -8}, "steps is negative"),
        ({"state_steps": 33}, "later step"),
        ({"seconds": np.nan}, "seconds"),
        ({"seconds": -1.0}, "seconds"),
        ({"status": "asleep"}, "status 'asleep'"),
    ],
)
def test_a_checkpoint_with_impossible_numbers(
    changes: dict[str, Any], problem: str, run: Path
) -> None:
    forged(run / CHECKPOINT, **changes)
    (run / PREVIOUS).unlink()
    with pytest.raises(OhmcarloError, match=problem):
        resumed(run)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"valid": np.ones(7, bool)}, "different lengths"),
        ({"codes": np.zeros((1, 6), np.uint16)}, "different lengths"),
        ({"accepted": np.ones(8, bool)}, "accepted"),
        ({"log_posterior": np.zeros(8)}, "log_posterior is float64"),
        ({"chain": np.zeros((8, 1), np.uint8)}, "chain is uint8 with 2"),
    ],
)
def test_a_chunk_whose_arrays_do_not_fit(changes: dict[str, Any], problem: str, run: Path) -> None:
    forged(run / FILES[0], **changes)
    with pytest.raises(OhmcarloError, match=rf"{FILES[0]} is damaged .*{problem}"):
        resumed(run)


# -- damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [CHECKPOINT, NEWEST])
@pytest.mark.parametrize("how", ["truncated", "emptied", "removed", "edited"])
def test_the_checkpoint_before_is_used(name: str, how: str, run: Path) -> None:
    """... if the newest checkpoint or chunk is damaged, and the user is told."""
    path = run / name
    content = path.read_bytes()
    if how == "edited":
        arrays = stored.read_arrays(path)
        first = "board.array.codes" if name == CHECKPOINT else "codes"
        stored.write_arrays(path, arrays | {first: arrays[first] + np.ones_like(arrays[first])})
    elif how == "removed":
        path.unlink()
    else:
        path.write_bytes(b"" if how == "emptied" else content[: len(content) // 2])
    said: list[str] = []
    checkpoint, blocks = resumed(run, said.append)
    assert checkpoint is not None and checkpoint.steps == 24 and len(blocks) == CHUNKS - 1
    if (name, how) != (CHECKPOINT, "removed"):
        assert len(said) == 1 and name in said[0] and "goes on from step 24" in said[0]
    assert not (run / NEWEST).exists() and not (run / PREVIOUS).exists()
    assert flat(resumed(run)) == flat((checkpoint, blocks)), "the folder is whole again"


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(files.Path, "hardlink_to", fails)
    run = a_run(tmp_path / "run", 1)
    assert (run / PREVIOUS).exists()
    (run / CHECKPOINT).unlink()
    checkpoint, blocks = resumed(run)
    assert checkpoint is not None and checkpoint.steps == 24 and len(blocks) == CHUNKS - 1


def test_both_checkpoints_damaged(run: Path) -> None:
    for name in (CHECKPOINT, PREVIOUS):
        (run / name).write_bytes(b"PK")
    with pytest.raises(OhmcarloError, match=rf"{CHECKPOINT} is .*remove .* and .*{PREVIOUS} and"):
        resumed(run)
    for name in (CHECKPOINT, PREVIOUS):  # the remedy
        (run / name).unlink()
    assert resumed(run) == (None, [])
    assert not list(run.glob("chunk-*"))


def test_flipped_bits(run: Path) -> None:
    """A flipped bit is noticed, or it is in a part of a file that has no content."""
    rng = np.random.default_rng(5)
    harmless = noticed = 0
    for name in FILES:
        original = (run / name).read_bytes()
        wanted = {k: v.tolist() for k, v in stored.read_linked(run / name)[0].items()}
        for bit in rng.choice(8 * len(original), 30, replace=False):
            content = bytearray(original)
            content[bit // 8] ^= 1 << bit % 8
            (run / name).write_bytes(content)
            try:
                found = stored.read_linked(run / name)[0]
            except stored.Damaged as error:
                assert name in str(error)
                noticed += 1
            else:
                assert {k: v.tolist() for k, v in found.items()} == wanted
                harmless += 1
    assert noticed > 2 * harmless > 0


# -- files that attack the reader ------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 4, 10**12])
def test_an_array_larger_than_its_file(count: int, tmp_path: Path) -> None:
    path = tmp_path / "big.npz"
    header = io.BytesIO()
    description = {"descr": "<i8", "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(header, description)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.npy", header.getvalue() + bytes(8 * 3))
    with pytest.raises(OhmcarloError, match=r"big\.npz is damaged.*size that it announces"):
        stored.read_arrays(path)


def test_compressed_pickled_and_doubled_arrays(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, a=np.zeros(10**6))
    with pytest.raises(OhmcarloError, match=r"compressed|larger"):
        stored.read_arrays(path)
    np.savez(path, a=np.array([print], object))
    with pytest.raises(OhmcarloError, match="damaged"):
        stored.read_arrays(path)
    np.savez(path, a=np.zeros(2))
    with zipfile.ZipFile(path) as stored_file:
        array = stored_file.read("a.npy")
    with pytest.warns(UserWarning), zipfile.ZipFile(path, "a") as twice:
        twice.writestr("a.npy", array)
    with pytest.raises(OhmcarloError, match="one name"):
        stored.read_arrays(path)


def test_json_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / MANIFEST
    path.write_text("[" * 100_000)
    with pytest.raises(OhmcarloError, match="damaged"):
        stored.read_json(path)
    monkeypatch.setattr(stored, "MAX_JSON", 10)
    with pytest.raises(OhmcarloError, match="longer than 10 bytes"):
        stored.read_json(path)


# -- whole runs ------------------------------------------------------------------------------------


class StopsAfter(Silence):
    def __init__(self, steps: int) -> None:
        self.steps = steps

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        if steps >= self.steps:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run."""
    path = tmp_path_factory.mktemp("whole") / "run"
    train_run(SMALL, Outputs(path), Silence())
    return path


def same(a: Path, b: Path) -> bool:
    one, two = (stored.read_trace(path).arrays() for path in (a, b))
    return all(np.array_equal(one[name], two[name]) for name in one)


def newest_chunk(run: Path) -> Path:
    return max(run.glob("chunk-*.npz"))


@pytest.mark.parametrize("damaged", ["checkpoint", "chunk"])
def test_a_damaged_run_ends_as_an_intact_one(
    damaged: str, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_run, "MAX_BLOCK", 7)
    run = tmp_path / "run"
    outputs = Outputs(run, checkpoint_seconds=0.0)
    with pytest.raises(Interrupted):
        train_run(SMALL, outputs, StopsAfter(50))
    path = newest_chunk(run) if damaged == "chunk" else run / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-100])
    said: list[str] = []
    observer = Silence()
    monkeypatch.setattr(observer, "say", said.append)
    resume_run(outputs, observer)
    assert any(path.name in line for line in said)
    assert same(run, whole)


def test_another_board_takes_a_run_over(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that came back under another name; the stand-in is a model behind that name."""
    run = tmp_path / "run"
    with pytest.raises(Interrupted):
        train_run(SMALL, Outputs(run), StopsAfter(10))
    opened = []

    def open_board(backend: str, array: Array, say: object) -> ModelBoard:
        opened.append(backend)
        return ModelBoard(array)

    monkeypatch.setattr(setup, "open_board", open_board)
    found = resume_run(Outputs(run), Silence(), "serial:/dev/ttyUSB7")
    assert opened == ["serial:/dev/ttyUSB7"] and found["backend"] == opened[0]
    assert same(run, whole)


def test_a_board_that_cannot_have_the_array(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    with pytest.raises(Interrupted):
        train_run(replace(SMALL, array="physics", trim=False), Outputs(run), StopsAfter(10))
    assert cli.main(["resume", str(run), "--backend", "rtl"]) == 2
    assert "a board holds the emulated array" in capsys.readouterr().err
    assert cli.main(["resume", str(run), "--backend", "model"]) == 0


@pytest.mark.parametrize("nth", [2, 3, 5])
def test_a_disk_that_is_full_for_a_moment(
    nth: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ``nth`` file cannot be written: the run ends with advice, and resumes bit for bit. Its
    notes for a live view are not needed, and cannot be written at any time."""
    monkeypatch.setattr(chain_run, "MAX_BLOCK", 20)
    run = tmp_path / "run"
    outputs = Outputs(run, checkpoint_seconds=0.0)
    written = 0

    def full(path: Path, content: bytes) -> int:
        nonlocal written
        note = any(name in path.name for name in (live_notes.PROGRESS, live_notes.CHAIN))
        written += not note
        if note or written == nth:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with path.open("wb") as file:
            return file.write(content)

    with monkeypatch.context() as patch:
        patch.setattr(files.Path, "write_bytes", full)
        with pytest.raises(OhmcarloError, match=r"No space left.*free some space"):
            train_run(SMALL, outputs, Silence())
    resume_run(outputs, Silence())
    assert same(run, whole)


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("another") / "run"
    train_run(replace(SMALL, seed=4), Outputs(path), Silence())
    return path


@pytest.mark.parametrize("name", [MANIFEST, stored.RESULT, *stored.RESULT_FILES])
def test_a_result_of_another_run(name: str, whole: Path, another: Path, tmp_path: Path) -> None:
    """``report`` and ``predict`` refuse files of different runs in one folder."""
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    Predictor.of_run(run)  # the control
    shutil.copy(another / name, run / name)
    with pytest.raises(OhmcarloError, match=rf"{name} is damaged|another run than .*{name}"):
        read_complete(run)
        Predictor.of_run(run)


def test_predict_with_an_edited_trace(
    whole: Path, another: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, data = tmp_path / "run", tmp_path / "new.csv"
    shutil.copytree(whole, run)
    data.write_text("x1,x2\n0.5,0.5\n")
    assert cli.main(["predict", str(run), str(data)]) == 0
    arrays = stored.read_arrays(run / stored.TRACE)
    stored.write_arrays(run / stored.TRACE, arrays | {"codes": arrays["codes"][:, ::-1].copy()})
    assert cli.main(["predict", str(run), str(data)]) == 1
    assert "trace.npz is damaged" in capsys.readouterr().err


def test_an_edited_result(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    text = (run / stored.RESULT).read_text(encoding="utf-8")
    (run / stored.RESULT).write_text(text.replace('"seed": 3', '"seed": 5'), encoding="utf-8")
    with pytest.raises(OhmcarloError, match=r"result\.json is damaged.*SHA-256.*remove"):
        read_complete(run)


def test_a_complete_run_of_an_older_version(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (run / MANIFEST).write_text('{"format": 1, "versions": {"ohmcarlo": "0.9.0"}}')
    (run / stored.RESULT).write_text('{"task": "toy2d"}')
    with pytest.raises(OhmcarloError, match=r"run format 1.*\(0\.9\.0\)"):
        read_complete(run)
