"""The notebooks as pages: their prose and their code, without outputs."""

from __future__ import annotations

import re
import subprocess
import sys

import repository

FOLDER = "notebooks"
HOW = "This page shows the notebook `{name}.py` without its outputs. To run it and change it:"
COMMAND = ".venv/bin/marimo edit notebooks/{name}.py"


def names() -> dict[str, str]:
    """Page of the site → name of the notebook."""
    found = sorted(path.stem for path in (repository.ROOT / FOLDER).glob("*.py"))
    return {f"{FOLDER}/{name}.md": name for name in found}


def pages() -> dict[str, str]:
    """Pages of the notebooks: path in the site → Markdown."""
    return {page: with_command(_exported(name), name) for page, name in names().items()}


def _exported(name: str) -> str:
    """A notebook as Markdown, written by marimo."""
    command = [sys.executable, "-m", "marimo", "export", "md", f"{FOLDER}/{name}.py"]
    done = subprocess.run(command, cwd=repository.ROOT, capture_output=True, text=True)
    if done.returncode or not done.stdout:
        raise RuntimeError(f"marimo cannot export {name}.py: {done.stderr.strip()[-500:]}")
    return done.stdout


def with_command(text: str, name: str) -> str:
    """The page of an exported notebook: the command that opens it follows the title.

    Examples
    --------
    >>> exported = "---\\ntitle: X\\n---\\n\\n```python {.marimo}\\na\\n```\\n\\n# X\\n"
    >>> page = with_command(exported, "x")
    >>> page.splitlines()[0]
    '# X'
    >>> "```python\\na\\n```" in page and "marimo edit notebooks/x.py" in page
    True
    """
    body = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    body = re.sub(r"^(`{3,}python) \{\.marimo[^}]*\}$", r"\1", body, flags=re.M)
    title = re.search(r"^# .+$", body, re.M)
    if not title:
        raise ValueError(f"the notebook {name}.py needs a heading '# …'")
    rest = body[: title.start()] + body[title.end() :]
    how = f"{HOW.format(name=name)}\n\n    {COMMAND.format(name=name)}"
    return f"{title[0]}\n\n{how}\n\n{rest.strip()}\n"
