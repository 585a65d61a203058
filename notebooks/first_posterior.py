import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="First posterior")


@app.cell
def _():
    import marimo as mo

    return (mo,)


@app.cell
def _(mo):
    mo.md("""
    # Your first posterior

    An array of memristors learns to tell malignant from benign tissue. It does not keep *one* set
    of weights: it draws many, each as probable as the data allow. Together they are the
    **posterior**. Their spread shows what the array does not know.

    You need no hardware: the array is emulated, and equals the hardware bit for bit.
    """)
    return


@app.cell
def _():
    from contextlib import redirect_stderr, redirect_stdout
    from io import StringIO
    from pathlib import Path
    from tempfile import TemporaryDirectory

    import altair as alt
    import numpy as np
    import pandas as pd
    from sklearn.datasets import load_breast_cancer

    from ohmcarlo.cli.app import main as ohmcarlo
    from ohmcarlo.sklearn import MemristorClassifier

    return (
        MemristorClassifier,
        Path,
        StringIO,
        TemporaryDirectory,
        alt,
        load_breast_cancer,
        np,
        ohmcarlo,
        pd,
        redirect_stderr,
        redirect_stdout,
    )


@app.cell
def _(mo):
    mo.md("""
    ## 1. Train

    The data are 569 samples of breast tissue, which scikit-learn includes. Two of their 30
    measurements are used here, so that everything fits into a picture: the mean radius of the cell
    nuclei, and the roughness of their texture. Half of the samples are held out.

    Move the slider to choose the number of samples. The array then learns again.
    """)
    return


@app.cell
def _(load_breast_cancer, np):
    tissue = load_breast_cancer(as_frame=True)
    features = ["mean radius", "mean texture"]
    samples = tissue.data[features].assign(diagnosis=tissue.target_names[tissue.target])
    order = np.random.default_rng(0).permutation(len(samples))
    training, held_out = samples.iloc[order[:284]], samples.iloc[order[284:]]
    return features, held_out, samples, training


@app.cell
def _(mo):
    size = mo.ui.slider(
        steps=[20, 40, 80, 160, 284], value=40, show_value=True, label="Samples to learn from"
    )
    size
    return (size,)


@app.cell
def _(MemristorClassifier, features, held_out, mo, size, training):
    learnt = training[: size.value]
    model = MemristorClassifier(steps=4000, random_state=0)
    model.fit(learnt[features], learnt["diagnosis"])
    accuracy = model.score(held_out[features], held_out["diagnosis"])
    print(f"{size.value} samples: {accuracy:.1%} of {len(held_out)} held-out samples are right")
    print(f"verdict: {model.verdict_}, {len(model.weights_):,} samples of the weights")
    mo.callout(
        mo.md(
            f"**{accuracy:.1%}** of {len(held_out)} held-out samples are right. Verdict: "
            f"**{model.verdict_}**, {len(model.weights_):,} samples of the weights."
        )
    )
    return learnt, model


@app.cell
def _(mo):
    mo.md("""
    The **verdict** states whether the Markov chain has run long enough. Only *settled* means that
    probabilities and uncertainties can be used.

    ## 2. Look at the posterior

    Each dot is one state of the array: a weight for the radius and a weight for the texture, both
    of standardised features. The dots are dense where the data support the weights.
    """)
    return


@app.cell
def _(alt, features, mo, model, np, pd):
    _drawn = pd.DataFrame(
        np.repeat(model.weights_, model.multiplicity_, axis=0), columns=[*features, "bias"]
    )
    weights = _drawn.quantile([0.03, 0.5, 0.97]).T.set_axis(["3 %", "median", "97 %"], axis=1)
    for _name, _row in weights.iterrows():
        print(f"weight of {_name}: {_row['median']:+.2f} [{_row['3 %']:+.2f}, {_row['97 %']:+.2f}]")
    _shown = _drawn.sample(1500, random_state=0)
    _cloud = (
        alt.Chart(_shown, title="1,500 samples of the posterior", width=420, height=320)
        .mark_circle(size=18, opacity=0.35, color="#0072b2")
        .encode(
            x=alt.X(features[0], title=f"weight of {features[0]}"),
            y=alt.Y(features[1], title=f"weight of {features[1]}"),
        )
    )
    mo.hstack([_cloud, weights.round(2)], widths=[3, 2])
    return (weights,)


@app.cell
def _(mo):
    mo.md("""
    A positive weight makes *malignant* more probable for larger values. The sign of
    a weight is well determined if its whole interval, from 3 % to 97 %, lies on one side of zero.
    With few samples of tissue the cloud is wide; with more samples it shrinks.

    ## 3. What the uncertainty means

    Every dot of the cloud gives a probability for a new sample of tissue. The mean over all dots is
    the predicted **probability**. The standard deviation over all dots is the **spread**, which is
    the *epistemic* uncertainty. More data reduce the spread. They do not reduce the overlap of the
    classes, where the probability is near 0.5.

    The colour shows the spread. It is largest along the boundary of the classes. It grows along the
    boundary with the distance from the data, because no data determine the boundary there. At the
    left and right edges of the picture, all weights agree.
    """)
    return


@app.cell
def _(alt, features, learnt, model, np, pd):
    _radius, _texture = np.meshgrid(np.linspace(6, 28, 45), np.linspace(9, 40, 32))
    plane = pd.DataFrame(np.c_[_radius.ravel(), _texture.ravel()], columns=features)
    plane["spread"] = model.predict_uncertainty(plane[features])
    plane["p malignant"] = model.predict_proba(plane[features])[:, 1]
    _place = {
        "x": alt.X(features[0], scale=alt.Scale(domain=[6, 28])),
        "y": alt.Y(features[1], scale=alt.Scale(domain=[9, 40])),
    }
    _map = (
        alt.Chart(plane)
        .mark_square(size=180, clip=True)
        .encode(
            **_place,
            color=alt.Color("spread", scale=alt.Scale(scheme="viridis")),
            tooltip=[alt.Tooltip(n, format=".2f") for n in [*features, "p malignant", "spread"]],
        )
    )
    _dots = (
        alt.Chart(learnt)
        .mark_point(size=50, filled=True, stroke="black", strokeWidth=0.7, clip=True)
        .encode(
            **_place,
            shape="diagnosis",
            fill=alt.Fill("diagnosis", scale=alt.Scale(range=["#ffffff", "#d55e00"])),
        )
    )
    (_map + _dots).properties(width=520, height=360, title="Spread of the probability")
    return


@app.cell
def _(features, model, pd):
    cases = pd.DataFrame(
        {features[0]: [11.0, 15.0, 10.0], features[1]: [15.0, 20.0, 38.0]},
        index=["among benign samples", "between the classes", "on the boundary, without data"],
    )
    cases["p malignant"] = model.predict_proba(cases[features])[:, 1].round(3)
    cases["spread"] = model.predict_uncertainty(cases[features]).round(3)
    print(cases.to_string())
    cases
    return


@app.cell
def _(mo):
    mo.md("""
    The spread shows which predictions to check. If a person decides the cases with the largest
    spread, the predictions for the other cases are more accurate.
    """)
    return


@app.cell
def _(alt, features, held_out, model, np, pd):
    _spread = model.predict_uncertainty(held_out[features])
    _right = model.predict(held_out[features]) == held_out["diagnosis"].to_numpy()
    _sorted = _right[np.argsort(_spread, kind="stable")]
    _left = np.arange(0, 60, 5)
    referral = pd.DataFrame(
        {
            "decided by a person, %": _left,
            "right, % of the others": [
                100 * _sorted[: round(len(_sorted) * (1 - share / 100))].mean() for share in _left
            ],
        }
    )
    for _share in (0, 20, 50):
        _found = referral.set_index("decided by a person, %").loc[_share].item()
        print(f"{_share} % decided by a person: {_found:.1f} % of the others are right")
    (
        alt.Chart(referral, width=420, height=220)
        .mark_line(point=True, color="#0072b2")
        .encode(
            x="decided by a person, %",
            y=alt.Y("right, % of the others", scale=alt.Scale(zero=False)),
        )
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## 4. The same as a run, with its page

    On the command line, a *run* keeps everything in a folder. `ohmcarlo train` reads a CSV file,
    and `ohmcarlo report --html` writes the page of the run. The page below uses the same two
    measurements. Its run learnt from half of all samples.
    """)
    return


@app.cell
def _(
    Path,
    StringIO,
    TemporaryDirectory,
    ohmcarlo,
    redirect_stderr,
    redirect_stdout,
    samples,
):
    page = Path("first-posterior.html")
    with TemporaryDirectory() as _folder, redirect_stderr(StringIO()) as _progress:
        _table, _run = f"{_folder}/tissue.csv", f"{_folder}/run"
        samples.to_csv(_table, index=False)
        failed = ohmcarlo(["train", _table, "--out", _run])
        with redirect_stdout(StringIO()):  # it prints the same table
            failed = failed or ohmcarlo(["report", _run, "--html", str(page)])
    if failed:
        raise RuntimeError(_progress.getvalue())
    print(f"wrote {page}: {page.stat().st_size / 1e6:.1f} MB")
    return (page,)


@app.cell
def _(mo, page):
    mo.iframe(page.read_text(encoding="utf-8"), height="800px")
    return


@app.cell
def _(mo):
    mo.md("""
    ## Where to go from here

    - `your_csv.py`: the same with your own table
    - `your_die.py`: on devices that you have measured
    - `amaranth_to_waveform.py`: what the chip does in each clock
    - `docs/guide.md`: everything else
    """)
    return


if __name__ == "__main__":
    app.run()
