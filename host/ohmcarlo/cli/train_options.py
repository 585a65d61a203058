"""Options that only ``train`` has, by the panel of its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import completion

# -- run and output --------------------------------------------------------------------------------
TaskArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="TASK",
        help="A task (see `ohmcarlo tasks`) or a CSV file with a label column.",
        autocompletion=completion.tasks,
    ),
]
ChainsOption = Annotated[
    int | None,
    typer.Option(
        help="Independent chains of all boards, in equal shares of the rows (default 4, which "
        "R-hat needs; fewer in a small array; cartpole: 1)."
    ),
]
StepsOption = Annotated[
    int | None,
    typer.Option(
        help="Steps of each chain (default that of the task: 10,000 to 20,000, cartpole 299, "
        "which are 1,200 episodes)."
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(metavar="RUN", help="Keep the run in this new folder (resume, report)."),
]
PulsesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="After the run, list every operation of the array (as `ohmcarlo pulses` does).",
    ),
]

# -- chain -----------------------------------------------------------------------------------------
KernelOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        autocompletion=completion.kernels,
        help="corrected: the exact posterior; published: the algorithm as in the paper.",
        rich_help_panel="Chain",
    ),
]
RhoOption = Annotated[
    float | None,
    typer.Option(
        metavar="R",
        help="Proposals are centred at c + R (g - c). 1 is the random walk, without whitening; "
        "by default an adaptation chooses 0.6 to 0.9, for a network 0.9 to 0.997; --whiten: "
        "0.8 (ecg, several classes: 0.9).",
        rich_help_panel="Chain",
    ),
]
LeastRhoOption = Annotated[
    float | None,
    typer.Option(
        metavar="R",
        help="Let the adaptation choose rho from R on, if it promises twice the effective "
        "samples: 0.05 gives two to four times as many on most data. The default, 0.7 (0.6 on "
        "devices that differ), is safer for a posterior with long tails.",
        rich_help_panel="Chain",
    ),
]
WideEveryOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Every N steps, one uses rho = 1, which frees a chain from a far tail; 0: none "
        "(default: 10 on devices that are alike, 0 for random walks and other devices).",
        rich_help_panel="Chain",
    ),
]
WhitenOption = Annotated[
    bool | None,
    typer.Option(
        "--whiten/--no-whiten",
        help="--whiten: fit the mode on the computer first, and sample around it, for "
        "comparison. --no-whiten: sample the features as they are, a tenth of the effective "
        "samples.",
        rich_help_panel="Chain",
    ),
]
AdaptOption = Annotated[
    bool | None,
    typer.Option(
        "--adapt/--no-adapt",
        help="The array finds the coordinates that mix well itself, without a fit on the "
        "computer, in a few hundred steps before it samples (default for logistic models; "
        "--no-adapt: as --whiten).",
        rich_help_panel="Chain",
    ),
]
PaperOption = Annotated[
    bool,
    typer.Option(
        "--paper",
        help="The paper's way: one chain of 2,000 steps, a random walk on the features as they "
        "are. It is the default of --kernel published.",
        rich_help_panel="Chain",
    ),
]
EarlyRejectOption = Annotated[
    bool,
    typer.Option(
        "--early-reject/--no-early-reject",
        help="Stop reading data when a proposal cannot be accepted any more. The decisions are "
        "the same.",
        rich_help_panel="Chain",
    ),
]

# -- model -----------------------------------------------------------------------------------------
FeaturesOption = Annotated[
    int | None,
    typer.Option(
        help="Number of features, by chi² score (default: that of the task).",
        rich_help_panel="Model",
    ),
]
MultiClassOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=completion.likelihoods,
        help="More than two classes: stick-breaking (the default; exact for a model of all "
        "classes) or one-vs-rest (separate models, probabilities normalised).",
        rich_help_panel="Model",
    ),
]
HiddenOption = Annotated[
    int | None,
    typer.Option(
        help="Hidden units of a two-layer network; 0: logistic regression.",
        rich_help_panel="Model",
    ),
]
GammaOption = Annotated[
    float | None,
    typer.Option(
        help="µS per unit of weight; a larger value makes smaller steps (default: suits the "
        "spread of the array).",
        rich_help_panel="Model",
    ),
]
SigmaPOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="S",
        help="Standard deviation of the weight prior, per standardised feature (default 1). "
        "NAME=S sets that of one feature or of the bias; repeat the option for others. auto: "
        "the one that predicts best (leave-one-out of short runs).",
        rich_help_panel="Model",
    ),
]
TauOption = Annotated[
    float | None,
    typer.Option(help="Standard deviation of the common-mode prior, µS.", rich_help_panel="Model"),
]

# -- data ------------------------------------------------------------------------------------------
TrainPointsOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Points to learn from, drawn from the training half: for a board with a small "
        "memory (default: all).",
        rich_help_panel="Data",
    ),
]
LabelOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Label column of a file, in any case (default: the column called label, class, "
        "target, y, diagnosis or outcome, otherwise the last one).",
        rich_help_panel="Data",
    ),
]
DropOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A,B",
        help="Columns of a file to leave out, such as identifiers. Repeat the option for a "
        "name with a comma.",
        rich_help_panel="Data",
    ),
]
PositiveOption = Annotated[
    str | None,
    typer.Option(
        metavar="CLASS",
        help="Class that counts as 1, of two (default: the larger number, or the last in the "
        "alphabet).",
        rich_help_panel="Data",
    ),
]
RegressionOption = Annotated[
    bool | None,
    typer.Option(
        "--regression/--no-regression",
        help="The label of a CSV file is a number to predict, or a class (default: a number "
        "where more than 20 distinct values occur, some of them not whole numbers).",
        rich_help_panel="Data",
    ),
]

# -- array -----------------------------------------------------------------------------------------
ArrayRowsOption = Annotated[
    int | None,
    typer.Option(
        help="Rows of the array (default: 256; those of the board for small:PORT).",
        rich_help_panel="Array",
    ),
]
ArrayPairsOption = Annotated[
    int | None,
    typer.Option(
        help="Device pairs per row, entropy pairs included (default: 32, or more if the "
        "features need them; those of the board for small:PORT).",
        rich_help_panel="Array",
    ),
]
EntropyPairsOption = Annotated[
    int | None,
    typer.Option(
        help="Pairs of every row whose bits are the coin (default: 4; those of the board for "
        "small:PORT).",
        rich_help_panel="Array",
    ),
]
AccessBitsOption = Annotated[
    int | None,
    typer.Option(
        help="Input bits per access: 1, 2, 4 or 8 (default: 8; 1 on a board without a processor).",
        rich_help_panel="Array",
    ),
]
TrimOption = Annotated[
    bool,
    typer.Option(
        "--trim/--no-trim",
        help="Measure the array first and correct device-to-device differences (measured, "
        "physics and phy arrays).",
        rich_help_panel="Array",
    ),
]
DotProductsOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=completion.dot_products,
        help="array: accesses of the array, as in the paper; codes: computed digitally from "
        "the codes read back, so that read noise does not change the posterior (default: codes "
        "where read noise would widen the posterior by more than 2 %).",
        rich_help_panel="Array",
    ),
]
RepeatsOption = Annotated[
    int,
    typer.Option(
        help="Reads of each device and accesses of each dot product that are averaged: 1, 2, "
        "4, 8 or 16.",
        rich_help_panel="Array",
    ),
]

# -- settings in a file ----------------------------------------------------------------------------
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|RUN",
        autocompletion=completion.settings,
        help="Take the settings from a TOML file, or from the manifest of a run, which repeats "
        "it exactly. Options that you type replace those of the file.",
        rich_help_panel="Settings in a file",
    ),
]
WriteConfigOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write the settings of this run as TOML, with the meaning of each key, and stop "
        "(- prints them).",
        rich_help_panel="Settings in a file",
    ),
]
