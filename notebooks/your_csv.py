import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Your CSV")


@app.cell
def _():
    import marimo as mo

    return (mo,)


@app.cell
def _(mo):
    mo.md("""
    # Your CSV

    A table with one row for each case becomes a model with uncertainties. One column is the label;
    the others are features, which are numbers. Choose a file below. Without one, the notebook uses
    a table of its own: chemical measurements of 130 wines from two grapes, three of them missing.
    """)
    return


@app.cell
def _():
    from contextlib import redirect_stderr, redirect_stdout
    from io import StringIO
    from pathlib import Path
    from tempfile import TemporaryDirectory

    import numpy as np
    import pandas as pd
    from sklearn.datasets import load_wine

    from ohmcarlo.cli.app import main
    from ohmcarlo.datasets.csvfile import load_csv
    from ohmcarlo.errors import UsageError
    from ohmcarlo.tables import is_missing, number, read_table

    return (
        Path,
        StringIO,
        TemporaryDirectory,
        UsageError,
        is_missing,
        load_csv,
        load_wine,
        main,
        np,
        number,
        pd,
        read_table,
        redirect_stderr,
        redirect_stdout,
    )


@app.cell
def _(TemporaryDirectory):
    work = TemporaryDirectory()
    return (work,)


@app.cell
def _(StringIO, main, mo, redirect_stderr, redirect_stdout):
    def command(*words):
        """Run a verb of ohmcarlo, and return what it prints; if it fails, show its message and stop
        here."""
        with redirect_stderr(StringIO()) as progress, redirect_stdout(StringIO()) as printed:
            failed = main([*map(str, words)])
        message = progress.getvalue().strip()
        if failed:
            print(message)
        mo.stop(failed, mo.callout(mo.md(message.splitlines()[-1] if message else ""), "danger"))
        return printed.getvalue()

    return (command,)


@app.cell
def _(mo):
    mo.md("""
    ## 1. The file
    """)
    return


@app.cell
def _(mo):
    upload = mo.ui.file(label="Choose a file (CSV or any other text table)")
    upload
    return (upload,)


@app.cell
def _(Path, load_wine, np, upload, work):
    def example():
        """Two grapes and five measurements; three cells are missing."""
        wine = load_wine(as_frame=True)
        columns = ["alcohol", "malic_acid", "flavanoids", "color_intensity", "proline"]
        table = wine.data[columns][wine.target < 2].round(2)
        for row, column in zip(np.array([7, 40, 99]), (1, 2, 2), strict=True):
            table.iloc[row, column] = np.nan
        grapes = np.array(["Barolo", "Grignolino"])
        return table.assign(grape=grapes[wine.target[wine.target < 2]])

    path = Path(work.name) / (upload.name() or "wine.csv")
    if upload.contents():
        path.write_bytes(upload.contents())
    else:
        example().to_csv(path, index=False)
    return (path,)


@app.cell
def _(UsageError, is_missing, mo, path, pd, read_table):
    try:
        table = read_table(path)
    except UsageError as error:
        mo.stop(True, mo.callout(mo.md(str(error)), "danger"))
    cells = pd.DataFrame([[c.strip() for c in row] for row in table.rows], columns=table.header)
    missing = cells.map(is_missing)
    facts = [
        f"{path.name}: {len(cells)} rows, {len(table.header)} columns",
        f"recognised: {', '.join(table.recognised) or 'nothing unusual'}",
        f"missing values: {int(missing.to_numpy().sum())}",
    ]
    print("\n".join(facts))
    mo.vstack([mo.md("; ".join(facts)), cells])
    return cells, missing, table


@app.cell
def _(mo):
    mo.md("""
    ## 2. Label and missing values

    By default, the label is the column called `label`, `class`, `target` or similar, otherwise the
    last one. A label with two to 20 values has classes. A label with more values, some of them not
    whole numbers, is a number to predict.

    The array cannot process missing values. Choose a remedy that fits what they mean in your data.
    """)
    return


@app.cell
def _(mo, table):
    AS_RECOGNISED = "as recognised"
    label = mo.ui.dropdown([AS_RECOGNISED, *table.header], AS_RECOGNISED, label="Label")
    remedy = mo.ui.radio(
        ["leave out the rows", "fill in the median of the column", "leave out the columns"],
        "leave out the rows",
        label="Missing values",
    )
    mo.hstack([label, remedy], justify="start", gap=3)
    return AS_RECOGNISED, label, remedy


@app.cell
def _(Path, cells, missing, mo, number, path, pd, remedy, table, work):
    def median(column):
        """Cells of a column of numbers with its median for missing ones; text has none."""
        values = [number(cell, table.decimal_comma) for cell in column[~missing[column.name]]]
        if None in values or not values:
            return column
        return column.mask(missing[column.name], f"{pd.Series(values).median():g}")

    if remedy.value == "leave out the rows":
        complete = cells[~missing.any(axis=1)]
    elif remedy.value == "leave out the columns":
        complete = cells.loc[:, ~missing.any()]
    else:
        complete = cells.apply(median)
    complete_path = Path(work.name) / "complete" / f"{path.stem}.csv"
    complete_path.parent.mkdir(exist_ok=True)
    complete.to_csv(complete_path, index=False, sep=";" if table.decimal_comma else ",")
    remains = f"{remedy.value}: {len(complete)} rows, {complete.shape[1]} columns remain"
    print(remains)
    mo.md(remains)
    return (complete_path,)


@app.cell
def _(mo):
    mo.md("""
    ## 3. Train

    Half of the rows are held out. The accuracy is measured on these rows, which the array does not
    learn from. Read the line *weights, uncertainties* of the table: *settled* means that both can
    be used. Any other verdict names a remedy.
    """)
    return


@app.cell
def _(AS_RECOGNISED, TemporaryDirectory, command, complete_path, label, mo):
    runs = TemporaryDirectory()
    run = f"{runs.name}/run"
    chosen = [] if label.value == AS_RECOGNISED else ["--label", label.value]
    result = command("train", complete_path, *chosen, "--out", run)
    print(result)
    mo.plain_text(result)
    return run, runs


@app.cell
def _(mo):
    mo.md("""
    ## 4. New rows

    Change the numbers below, or add rows. The array predicts each of them. `spread` is the standard
    deviation of the probability (or of the predicted mean), the uncertainty that more data would
    reduce. Several classes have `epistemic` in its place. `extrapolated` marks a row beyond the
    range of the training data; do not trust its numbers.
    """)
    return


@app.cell
def _(AS_RECOGNISED, complete_path, label, load_csv, mo, pd):
    data = load_csv(complete_path, None if label.value == AS_RECOGNISED else label.value)
    examples = pd.DataFrame(data.x, columns=data.feature_names).iloc[[0, len(data.x) // 2, -1]]
    outside = 3 * data.x.max(axis=0)
    examples = pd.concat([examples, pd.DataFrame([outside], columns=data.feature_names)])
    rows = mo.ui.data_editor(examples.round(3).reset_index(drop=True), label="New rows")
    rows
    return (rows,)


@app.cell
def _(command, pd, rows, run, work):
    new, answers = f"{work.name}/new.csv", f"{work.name}/answers.csv"
    rows.value.to_csv(new, index=False)
    command("predict", run, new, "--out", answers)
    predicted = pd.read_csv(answers)
    print(predicted.to_string(index=False))
    predicted
    return


@app.cell
def _(mo):
    mo.md("""
    ## 5. The page of the run

    `ohmcarlo report RUN --html FILE` writes the result as one page, which needs no network. You can
    send the file to others.
    """)
    return


@app.cell
def _(Path, command, run):
    page = Path("your-csv.html")
    command("report", run, "--html", page)
    print(f"wrote {page}: {page.stat().st_size / 1e6:.1f} MB")
    return (page,)


@app.cell
def _(mo, page):
    mo.iframe(page.read_text(encoding="utf-8"), height="800px")
    return


@app.cell
def _(mo):
    mo.md("""
    ## The same commands in a terminal

        ohmcarlo train wine.csv --out runs/wine
        ohmcarlo predict runs/wine new.csv
        ohmcarlo report runs/wine --html wine.html
    """)
    return


if __name__ == "__main__":
    app.run()
