"""The ECG task: records as wfdb and hand counts give them, features of synthetic beats."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ohmcarlo.datasets import GroupSplit, beats, ecg, load
from ohmcarlo.datasets.fetch import find
from ohmcarlo.errors import UsageError
from ohmcarlo.golden import predict
from ohmcarlo.reproduce.ecg.models import disagreement
from ohmcarlo.runs.chain_run import ChainRun
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.supervised.experiment import prepare, standardised_weights
from ohmcarlo.runs.trace import Trace
from ohmcarlo.runs.train import train
from ohmcarlo.spec import FEATURE_FRAC
from ohmcarlo.tasks import get_task

RATE = 360.0


@pytest.fixture
def mitdb() -> Path:
    pytest.importorskip("wfdb", reason="wfdb is not installed (ohmcarlo[reproduce])")
    return find("mitdb")


# -- synthetic beats ---------------------------------------------------------------------------


def made(
    widths: list[float],
    heights: list[float],
    gaps: list[float],
    rate: float = RATE,
    atria: list[float] | None = None,
) -> beats.Recording:
    """Triangular beats: base width (s), height (mV), and the gap before each (s); ``atria`` are
    heights (mV) of a wave of 0.06 s, 0.17 s ahead of each. Lead 2 is half of lead 1."""
    times = 1.0 + np.cumsum(gaps)
    t = np.arange(int((times[-1] + 2.0) * rate)) / rate
    lead = np.zeros(len(t))
    for at, width, height in zip(times, widths, heights, strict=True):
        lead += height * np.clip(1 - np.abs(t - at) / (width / 2), 0, None)
    for at, height in zip(times, atria or [], strict=atria is not None):
        lead += height * np.clip(1 - np.abs(t - at + 0.17) / 0.03, 0, None)
    marks = np.rint(times * rate).astype(np.int64)
    return beats.Recording(np.stack([lead, lead / 2], axis=1), marks, rate)


def column(table: np.ndarray, name: str) -> np.ndarray:
    return table[:, beats.FEATURES.index(name)]


def test_intervals_by_hand() -> None:
    """Regular beats every 0.8 s, with one beat after 0.5 s and a pause of 1.1 s. The upper quartile
    is 0.8 s in every window of 40 beats."""
    gaps = [0.8] * 40
    gaps[20], gaps[21] = 0.5, 1.1
    rhythm = beats.rhythm(np.cumsum(gaps))
    assert rhythm[20] == pytest.approx([0.5, np.log(0.5 / 0.8), np.log(1.1 / 0.5)])
    assert rhythm[21] == pytest.approx([1.1, np.log(1.1 / 0.8), np.log(0.8 / 1.1)])
    assert rhythm[[0, 5, 39]] == pytest.approx(np.tile([0.8, 0, 0], (3, 1)), abs=1e-12)


def test_running_quantile_by_hand() -> None:
    values = np.array([5.0, 1.0, 4.0, 2.0, 3.0])
    # mirrored: 4 1 | 5 1 4 2 3 | 2 4
    assert beats.running_quantile(values, 5, 0.5).tolist() == [4.0, 2.0, 3.0, 2.0, 3.0]
    # the second largest of five
    assert beats.running_quantile(values, 5, 0.75).tolist() == [4.0, 4.0, 4.0, 3.0, 4.0]


def test_early_beats_stay_unusual_where_they_are_usual() -> None:
    """Three of five beats come early, without the small wave that precedes the others by 0.17 s.
    The usual beat has no such wave and the unhurried beat has one, so the early beats differ."""
    gaps = [0.8, 0.5, 0.5, 0.5, 1.0] * 12
    early = np.array(gaps) == 0.5
    atria = np.where(early, 0.0, 0.15).tolist()
    recording = made([0.1] * 60, [1.0] * 60, gaps, atria=atria)
    table = beats.features(recording)
    # the first and the last beat are affected by the ends of the filter
    inner = np.arange(60) % 59 > 0
    for name in ("P distance, lead 1", "P unlike, lead 1", "P unlike, lead 2"):
        values = column(table, f"{name}, from unhurried")
        assert values[early & inner].min() > values[~early & inner].max() + 0.5, name
    # upper quartile of 0.5, 0.5, 0.5, 0.8, 1.0: 0.8
    before = column(table, "RR before / unhurried")
    assert before[early & inner] == pytest.approx(np.log(0.5 / 0.8), abs=0.02)
    usual = beats.align(recording, np.ones(60, np.bool_))
    against_all = beats.SHAPES["P distance"](usual, 0)
    assert against_all[early & inner].max() < against_all[~early & inner].min(), "a control"


def test_a_broad_beat_by_hand() -> None:
    """One of 41 triangles is 1.5 times as wide. Time beyond a fraction of the peak grows by 1.5,
    and slopes relative to the height shrink by 1.5, as far as the filter passes them."""
    widths, heights = [0.10] * 41, [1.0] * 41
    widths[20] = 0.15
    table = beats.features(made(widths, heights, [0.8] * 41))
    usual = np.delete(np.arange(41), 20)
    assert column(table, "QRS width at 50 %, lead 2")[20] == pytest.approx(np.log(1.5), abs=0.12)
    assert column(table, "QRS width at 25 %, lead 1")[20] == pytest.approx(np.log(1.5), abs=0.12)
    assert column(table, "QRS steepest slope, lead 1")[20] == pytest.approx(-np.log(1.5), abs=0.15)
    assert np.abs(column(table, "QRS width at 50 %, lead 2")[usual]).max() < 0.06
    for name in (beats.UNLIKE, "QRS distance, lead 2, from unhurried"):
        assert column(table, name)[20] > column(table, name)[usual].max() + 0.5


def test_gain_does_not_matter_and_polarity_of_the_usual_beat_does_not() -> None:
    """Electrodes differ: beats of twice the height, or inverted beats, have the same features."""
    widths, heights = [0.1] * 30, [1.0] * 30
    widths[11], heights[11] = 0.16, 1.4
    atria = [0.15] * 30
    one = beats.features(made(widths, heights, [0.8] * 30, atria=atria))
    other = beats.features(
        made(widths, [-2 * h for h in heights], [0.8] * 30, atria=[-2 * h for h in atria])
    )
    # the only differences are floors of some hundredths of a millivolt
    assert np.abs(one - other).max() < 0.15
    inverted = beats.features(made(widths, [*heights[:11], -1.4, *heights[12:]], [0.8] * 30))
    # at the largest shift, a triangle does not correlate with its mirror image; with itself: 1
    unlike = column(inverted, beats.UNLIKE)
    assert np.log(0.7) < unlike[11] <= np.log(2 + beats.FLOOR_CORRELATION)
    assert np.delete(unlike, 11) == pytest.approx(np.log(beats.FLOOR_CORRELATION), abs=0.3)


def test_marks_may_be_off() -> None:
    """A mark that is 30 ms late changes the interval of a beat, not its shape."""
    recording = made([0.1] * 30, [1.0] * 30, [0.8] * 30)
    late = recording.beats.copy()
    late[12] += round(0.030 * RATE)
    table = beats.features(beats.Recording(recording.signal, late, RATE))
    shape = table[:, len(beats.RHYTHM) :]
    assert np.abs(shape[12] - np.median(shape, axis=0)).max() < 0.05


def test_what_is_no_recording() -> None:
    signal = np.zeros((1000, 2))
    with pytest.raises(UsageError, match="2 leads"):
        beats.Recording(signal[:, :1], np.arange(10), RATE)
    with pytest.raises(UsageError, match="rising order"):
        beats.Recording(signal, np.array([5, 4, 6, 7, 8, 9, 10, 11]), RATE)


# -- splits ------------------------------------------------------------------------------------


def test_groups_take_turns() -> None:
    """Group 0 has 100 rows, 1 has 5, 2 has 1, of each class: of 18 drawn, 12, 5 and 1."""
    groups = np.repeat([0, 1, 2, 9], [200, 10, 2, 50])
    labels = np.arange(len(groups)) % 2
    split = GroupSplit(groups, groups < 9, groups == 9, 18)
    train, test = split.rows(labels, 3)
    for value in (0, 1):
        assert np.bincount(groups[train][labels[train] == value]).tolist() == [12, 5, 1]
    assert test.tolist() == list(range(212, 262))
    assert np.array_equal(train, split.rows(labels, 3)[0])
    assert not np.array_equal(train, split.rows(labels, 4)[0])


def test_a_group_on_both_sides_is_refused() -> None:
    groups = np.array([1, 1, 2, 2])
    with pytest.raises(UsageError, match="at once: 1"):
        GroupSplit(groups, groups == 1, np.array([False, True, True, True]), 1)


def test_too_few_rows() -> None:
    groups = np.array([0, 0, 1, 1])
    split = GroupSplit(groups, groups == 0, groups == 1, 2)
    with pytest.raises(UsageError, match="class 0: 1 rows, 2 are needed"):
        split.rows(np.array([0, 1, 0, 1]), 0)


def test_division_of_de_chazal() -> None:
    """22 and 22 records, as in the paper's table; 201 and 202 are one person."""
    assert len(ecg.DS1) == len(ecg.DS2) == 22
    assert not set(ecg.DS1) & set(ecg.DS2)
    assert not (set(ecg.DS1) | set(ecg.DS2)) & set(ecg.PACED)
    assert 202 in ecg.DS2 and 201 not in ecg.training_records()
    assert len(ecg.training_records()) == 21


# -- the records -------------------------------------------------------------------------------


@pytest.mark.data("mitdb")
def test_record_100_against_wfdb(mitdb: Path) -> None:
    import wfdb

    recording, classes = ecg.read_record(100, mitdb)
    raw = wfdb.rdrecord(str(mitdb / "100"), physical=False)
    gain, zero = raw.adc_gain[0], raw.adc_zero[0]
    assert recording.rate_hz == 360
    assert np.allclose(recording.signal[:, 0], (raw.d_signal[:, 0] - zero) / gain)
    # PhysioNet's description of record 100: 2239 normal beats, 33 APC, 1 PVC
    assert [int((classes == c).sum()) for c in ecg.CLASSES] == [2239, 33, 1, 0, 0]
    marks = wfdb.rdann(str(mitdb / "100"), "atr")
    (premature,) = np.flatnonzero(np.array(marks.symbol) == "V")
    assert recording.beats[classes == "V"].tolist() == [marks.sample[premature]]


@pytest.mark.data("mitdb")
def test_record_114_has_its_leads_in_order(mitdb: Path) -> None:
    """mitdbdir/intro.htm: its signals are reversed, V5 is the first."""
    import wfdb

    recording, _ = ecg.read_record(114, mitdb)
    raw = wfdb.rdrecord(str(mitdb / "114"))
    assert raw.sig_name == ["V5", "MLII"]
    assert np.array_equal(recording.signal, raw.p_signal[:, ::-1])


@pytest.mark.data("mitdb")
def test_counts_of_every_record(mitdb: Path) -> None:
    """beat_counts_aami.csv was counted with other code."""
    counts = mitdb / "beat_counts_aami.csv"
    if not counts.is_file():
        pytest.skip("the folder mitdb has no beat_counts_aami.csv")
    table = ecg.beat_table()
    with counts.open(encoding="ascii") as lines:
        expected = {
            int(row["record"]): [int(row[c]) for c in ecg.CLASSES] for row in csv.DictReader(lines)
        }
    found = {
        int(r): [int(((table.records == r) & (table.classes == c)).sum()) for c in ecg.CLASSES]
        for r in np.unique(table.records)
    }
    assert found == {r: n for r, n in expected.items() if r not in ecg.PACED}


@pytest.mark.data("mitdb")
def test_no_patient_on_both_sides(mitdb: Path) -> None:
    data, table = load("ecg"), ecg.beat_table()
    records = table.records[table.among((*ecg.DS1, *ecg.DS2), "NV")]
    train, test = data.split(5)
    assert not set(records[train]) & set(records[test])
    assert 201 not in records[train], "the person of 202"
    assert np.bincount(data.y[train]).tolist() == [200, 200]
    # sums of beat_counts_aami.csv over DS2
    assert np.bincount(data.y[test]).tolist() == [44259, 3221]
    assert len(set(records[train])) >= 20, "spread over the patients"
    assert np.isfinite(data.x).all()


@pytest.mark.data("mitdb")
def test_a_damaged_cache_is_made_again(
    mitdb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ecg, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(ecg, "DS1", (100,))
    monkeypatch.setattr(ecg, "DS2", (101,))
    monkeypatch.setattr(ecg, "beat_table", ecg.beat_table.__wrapped__)
    kept = tmp_path / f"ecg-{ecg.table_digest()}.npz"
    first = ecg.beat_table()
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    assert np.array_equal(ecg.beat_table().x, first.x)
    assert kept.stat().st_size == len(whole)


# -- training ----------------------------------------------------------------------------------


@pytest.mark.data("mitdb")
@pytest.mark.stats
def test_unseen_patients_and_a_control(mitdb: Path) -> None:
    """The goal of the task is 97 %. With shuffled labels, the accuracy must be that of chance."""
    found = train(TrainConfig("ecg", whiten=True, rho=0.8, steps=1500)).values
    assert found["balanced_accuracy"] > 0.97
    assert found["train_points"] == 400 and found["features"] == len(beats.FEATURES)

    data = load("ecg")
    rows, test = data.split(0)
    some = test[:: len(test) // 4000]
    rng = np.random.default_rng(0)
    recalls = []
    for _ in range(6):
        shuffled = rng.permutation(data.y[rows])
        config = TrainConfig("ecg", whiten=True, rho=0.8, steps=1500)
        setup, encoder = prepare(
            config, get_task("ecg"), data.x[rows], shuffled, data.feature_names
        )
        run = ChainRun(setup)
        run.run()
        codes, counts = Trace.of(run.streamed(), setup.board.current()).after(400)
        p, _ = predict(setup.registers, encoder.encode(data.x[some]), codes, counts)
        recalls += [((p >= 0.5) == v)[data.y[some] == v].mean() for v in (0, 1)]
    assert 0.25 < np.mean(recalls) < 0.75, "a control that must fail"


@pytest.mark.data("mitdb")
def test_settings_of_the_network(mitdb: Path) -> None:
    data = load("ecg")
    rows, _ = data.split(0)
    config = TrainConfig("ecg", hidden=4, steps=10)
    setup, encoder = prepare(
        config, get_task("ecg"), data.x[rows], data.y[rows], data.feature_names
    )
    task = get_task("ecg").network
    assert task is not None
    assert setup.registers.hidden == 4
    assert len(encoder.columns) == len(beats.FEATURES)
    assert setup.settings.sigma_p == task.sigma_p


# -- uncertainty -------------------------------------------------------------------------------


def test_samples_that_disagree() -> None:
    """Logits in floating point and scipy's entropy agree with the compiled sums. A single sample
    has no disagreement."""
    data = load("toy2d")
    config = TrainConfig("toy2d", steps=400)
    setup, encoder = prepare(config, get_task("toy2d"), data.x, data.y, data.feature_names)
    run = ChainRun(setup)
    run.run()
    codes, counts = Trace.of(run.streamed(), setup.board.current()).after(100)
    points = encoder.encode(data.x)
    distance, information = disagreement(setup.registers, points, codes, counts)

    weights = standardised_weights(setup.registers, encoder, codes)
    logits = weights @ (points.inputs.T / (1 << FEATURE_FRAC))
    p = 1 / (1 + np.exp(-logits))
    both = np.stack([p, 1 - p])
    of_mean = stats.entropy(np.average(both, axis=1, weights=counts))
    expected = of_mean - np.average(stats.entropy(both), axis=0, weights=counts)
    assert expected.max() > 20e-4, "far more than what is tolerated"
    assert information == pytest.approx(expected, abs=1e-4)
    mean = np.average(logits, axis=0, weights=counts)
    spread = np.sqrt(np.average((logits - mean) ** 2, axis=0, weights=counts))
    assert distance == pytest.approx(np.abs(mean) / spread, rel=0.05, abs=0.05)

    _, alone = disagreement(setup.registers, points, codes[:1], counts[:1])
    assert alone == pytest.approx(0, abs=1e-12)
