"""The reference of the command line, from the command line itself."""

from __future__ import annotations

PAGE = "reference/command-line.md"
HEAD = (
    "# Command line\n\nThis page has the output of `ohmcarlo --help`, and of `--help` for every "
    "verb.\n\n"
)


def page() -> str:
    """Every verb with its arguments and options, as Typer describes them.

    Examples
    --------
    >>> "## `ohmcarlo train`" in page()
    True
    """
    import typer.main
    from typer.cli import get_docs_for_click

    from ohmcarlo.cli.app import app

    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="ohmcarlo")
    text = get_docs_for_click(obj=command, ctx=context, name="ohmcarlo")
    return HEAD + text.partition("\n")[2].lstrip()
