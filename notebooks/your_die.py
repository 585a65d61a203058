import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Your die")


@app.cell
def _():
    import marimo as mo

    return (mo,)


@app.cell
def _(mo):
    mo.md("""
    # Your die

    Can your devices sample a posterior? A file of recorded SET pulses answers this, without a chip:
    program each device many times to several levels, and read it after each pulse. Choose your file
    below. Without one, the notebook uses the example of `ohmcarlo data example`: 24 synthetic
    devices at eight gate voltages, 20 pulses each. `docs/measurements.md` lists the formats that
    are read.
    """)
    return


@app.cell
def _():
    import json
    from contextlib import redirect_stderr, redirect_stdout
    from io import StringIO
    from pathlib import Path
    from tempfile import TemporaryDirectory

    import altair as alt
    import pandas as pd

    from ohmcarlo.cli.app import main
    from ohmcarlo.errors import UsageError
    from ohmcarlo.measurements.reading import read_recording

    return (
        Path,
        StringIO,
        TemporaryDirectory,
        UsageError,
        alt,
        json,
        main,
        pd,
        read_recording,
        redirect_stderr,
        redirect_stdout,
    )


@app.cell
def _(
    Path,
    StringIO,
    TemporaryDirectory,
    json,
    main,
    mo,
    redirect_stderr,
    redirect_stdout,
):
    work = TemporaryDirectory()

    def values(*words):
        """The numbers of a verb of ohmcarlo; if it fails, show its message and stop here."""
        found = Path(work.name) / "values.json"
        with redirect_stderr(StringIO()) as progress, redirect_stdout(StringIO()):
            failed = main([*map(str, words), "--json", str(found)])
        message = progress.getvalue().strip()
        if failed:
            print(message)
        mo.stop(failed, mo.callout(mo.md(message.splitlines()[-1] if message else ""), "danger"))
        return json.loads(found.read_text(encoding="utf-8"))

    return values, work


@app.cell
def _(mo):
    mo.md("""
    ## 1. The measurement
    """)
    return


@app.cell
def _(mo):
    upload = mo.ui.file(label="Choose a file of SET pulses")
    upload
    return (upload,)


@app.cell
def _(Path, upload, values, work):
    path = Path(work.name) / (upload.name() or "die.csv")
    if upload.contents():
        path.write_bytes(upload.contents())
    else:
        values("data", "example", path)
    return (path,)


@app.cell
def _(UsageError, mo, path, read_recording):
    try:
        recording = read_recording(path)
    except UsageError as error:
        mo.stop(True, mo.callout(mo.md(str(error)), "danger"))
    facts = [
        f"{len(recording):,} SET pulses of {len(recording.devices)} devices",
        f"recognised: {', '.join(recording.recognised)}",
    ]
    print("\n".join(facts))
    mo.md("; ".join(facts))
    return (recording,)


@app.cell
def _(alt, pd, recording):
    pulses = pd.DataFrame(
        {"level": recording.level, "conductance": recording.after_us, "device": recording.device}
    )
    spread = pulses.groupby("level")["conductance"].agg(
        median="median", low=lambda g: g.quantile(0.05), high=lambda g: g.quantile(0.95)
    )
    spread = spread.reset_index()
    _level = alt.X("level", title=f"{recording.swept}, {recording.unit}", scale={"zero": False})
    _base = alt.Chart(spread, width=480, height=280).encode(x=_level)
    (
        _base.mark_area(opacity=0.25, color="#0072b2").encode(
            y=alt.Y("low", title="conductance after the pulse, µS"), y2="high"
        )
        + _base.mark_line(point=True, color="#0072b2").encode(y="median")
    ).properties(title="Median and 90 % of all pulses, by level")
    return


@app.cell
def _(mo):
    mo.md("""
    A pulse does not reach its level exactly. The chain uses this spread as its proposal
    distribution. The spread must be known, and it must not differ too much between devices.

    ## 2. The device model, and the verdict

    `ohmcarlo characterize --fit` fits the model of the devices to the pulses, builds an array of
    them, and makes a reference run on it. The model becomes a *preset*, a small file for later
    runs.
    """)
    return


@app.cell
def _(path, values, work):
    preset = f"{work.name}/{path.stem}.json"
    measured = values("characterize", "--fit", path, "--preset-out", preset)
    standing = measured["verdict"]["standing"]
    expected = measured["expectation"]["ess_per_1000_steps"]
    return expected, measured, preset, standing


@app.cell
def _(expected, mo, standing):
    print(f"verdict: {standing}")
    _range = f"{expected['value']:.0f} [{expected['low']:.0f}, {expected['high']:.0f}]"
    mo.callout(
        mo.md(f"**{standing}**: expect {_range} effective samples per 1,000 steps"),
        "danger" if standing == "not usable" else "success",
    )
    return


@app.cell
def _(measured, pd):
    constants = pd.DataFrame(
        [
            (name, *(found[key] for key in ("value", "low", "high", "unit", "origin")))
            for name, found in measured["fit"]["constants"].items()
        ],
        columns=["constant", "value", "low", "high", "unit", "origin"],
    )
    print(constants.head(8).to_string(index=False))
    constants
    return


@app.cell
def _(alt, measured, pd):
    spreads = pd.DataFrame(
        {
            "target, µS": measured["target_us"],
            "cycle to cycle (C2C)": measured["sigma_c2c_us"],
            "device to device (D2D)": measured["sigma_d2d_us"],
        }
    ).melt("target, µS", var_name="spread", value_name="standard deviation, µS")
    (
        alt.Chart(spreads, width=480, height=220, title="Spread of the model over the range")
        .mark_line(point=True)
        .encode(
            x=alt.X("target, µS", scale={"zero": False}),
            y="standard deviation, µS",
            color=alt.Color("spread", scale={"range": ["#0072b2", "#d55e00"]}),
            strokeDash="spread",
        )
    )
    return


@app.cell
def _(mo):
    mo.md("""
    The C2C spread of a device from pulse to pulse is the source of the samples. The D2D spread
    between devices is an error; the trim before a run measures and corrects it.

    ## 3. Train on it

    The same task, two overlapping classes in a plane, runs on an ideal array and on two arrays of
    your devices. The first of these uses the fitted model, in which every device is different. The
    second replays the recorded pulses. Choose the length of the chains; *settled* needs at least
    400 effective samples.
    """)
    return


@app.cell
def _(mo):
    steps = mo.ui.dropdown([1000, 4000, 10000], 4000, label="Steps of each chain")
    steps
    return (steps,)


@app.cell
def _(path, pd, preset, steps, values):
    arrays = {
        "ideal (emulator)": ["--array", "emulator"],
        "your devices, modelled": ["--array", "physics", "--preset", preset],
        "your devices, recorded": ["--array", f"measured:{path}"],
    }
    rows = []
    for name, options in arrays.items():
        run = values("train", "toy2d", *options, "--steps", steps.value)
        rows.append(
            {
                "array": name,
                "accuracy, %": round(100 * run["accuracy"], 1),
                "effective samples per 1,000 steps": round(run["ess_min_per_1000_steps"]),
                "verdict": run["verdict"],
                "energy, µJ (modelled)": round(1e6 * run["energy_joules"]),
            }
        )
    compared = pd.DataFrame(rows)
    print(compared.to_string(index=False))
    compared
    return


@app.cell
def _(mo):
    mo.md("""
    Differences between devices cost energy. On problems with more features, such as the 15 of
    `breast-cancer`, they also cost effective samples. The accuracy shows whether they also cause
    wrong predictions; the verdict shows whether the posterior can be used. If the verdict of step 2
    is *not usable*, its advice names the reason.

    ## The same commands in a terminal

        ohmcarlo data example die.csv
        ohmcarlo characterize --fit die.csv --preset-out die.json --report die.pdf
        ohmcarlo train breast-cancer --array physics --preset die.json
        ohmcarlo train breast-cancer --array measured:die.csv

    `docs/your-die.md` goes through them with their output, and on to a die on a daughterboard.
    """)
    return


if __name__ == "__main__":
    app.run()
