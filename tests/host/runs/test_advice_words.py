"""Remedies in the words of a file and of Python, in place of options of the command line."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields

import numpy as np
import pytest

from ohmcarlo.errors import UsageError
from ohmcarlo.runs.advice import advised, as_keys, as_parameters
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.sklearn import MemristorClassifier

WORDS = [
    ("use --features 27, or at most --features 251 with --pairs 256",
     "use features = 27, or at most features = 251 with pairs = 256"),
    ("leave out --adapt, or --rho 1 and --kernel published",
     'leave out adapt = true, or rho = 1 and kernel = "published"'),
    ("leave out --no-whiten, --paper, --kernel published and --rho 1",
     'leave out whiten = false, kernel = "published" and rho = 1'),
    ("without --paper, --whiten and --no-whiten; choose --rho here",
     "without whiten = true and whiten = false; choose rho here"),
    ("use --chains 4 --rows 144", "use chains = 4 and rows = 144"),
    ("try --steps 2000.", "try steps = 2000."),
    ("--regression to predict the number, --no-regression for classes",
     'kind = "regression" to predict the number, kind = "supervised" for classes'),
    ("name its port, --backend serial:PORT", 'name its port, backend = "serial:PORT"'),
    ("--backend serial:A,serial:B, which", 'backend = "serial:A,serial:B", which'),
    ("--array physics --preset FILE, where FILE is the same file",
     'array = "physics" and preset = "FILE", where FILE is the same file'),
    ("leave it out with --drop label; if it holds the classes, pass --label label",
     'leave it out with drop = ["label"]; if it holds the classes, pass label = "label"'),
    ("--drop 'id,mean radius' leaves", 'drop = ["id", "mean radius"] leaves'),
    ("--drop 'a,b' --drop c, or", 'drop = ["a,b", "c"], or'),
    ("--label, --drop and --positive are for files", "label, drop and positive are for files"),
    ("another --label or --drop", "another label or drop"),
    ("add --where vread=0.1 with the voltage",
     "add ,vread=0.1 after the name of the file with the voltage"),
    ("--where width=100ns: give a number", "width=100ns: give a number"),
    ("choose another --out; `ohmcarlo build BOARD --array phy`",
     "choose another --out; `ohmcarlo build BOARD --array phy`"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "wanted"), WORDS)
def test_options_become_keys(said: str, wanted: str) -> None:
    assert as_keys(said) == wanted
    assert as_keys(wanted) == wanted


def test_advised_keys_are_lines_of_a_file() -> None:
    """Whatever option a message names, the key is one that a file of settings has."""
    known = {field.name for field in fields(TrainConfig)}
    for said, _ in WORDS:
        for line in re.findall(r"\w+ = (?:\[[^]]*\]|\"[^\"]*\"|\w+)", as_keys(said)):
            assert set(tomllib.loads(line)) <= known


def test_errors_of_an_estimator_name_its_parameters() -> None:
    x = np.random.default_rng(0).normal(size=(20, 12))
    y = x[:, 0] > 0
    with pytest.raises(UsageError, match=r"use features=3, or pairs=17 or more$"):
        MemristorClassifier(10, pairs=8).fit(x, y)
    with pytest.raises(UsageError, match="use rows=16 or more, or fewer chains"):
        MemristorClassifier(10, rows=8, chains=4).fit(x, y)
    assert as_parameters("try --seed 3 or --no-whiten") == "try random_state=3 or whiten=False"


def test_errors_keep_their_type() -> None:
    with pytest.raises(UsageError, match=r"^use rows = 8$"), advised(as_keys):
        raise UsageError("use --rows 8")
