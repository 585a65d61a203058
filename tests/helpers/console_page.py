"""Pages whose commands show their output: ``console`` blocks that are run and compared.

In such a block, a line that begins with ``$ `` is a command and the lines below are its output.
The blocks of a page run one after the other, in one empty folder. In an output, ``...`` stands for
anything, as in doctest. Lines about the progress of long work are left out.

``python -m console_page PAGE`` (with ``tests/helpers`` on the path) writes the outputs of this
machine into the page. An output that agrees stays as it is.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PROGRESS = re.compile(r".+ …|.+: \S+ \w+ so far|.+: [\d,]+ of [\d,]+ \w+, .+ left")
"""A line about work that takes long; a fast machine does not show it."""
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
PROMPT = "$ "
WIDTH = 92  # columns of the terminal that a page shows
SECONDS = 600


@dataclass(frozen=True)
class Step:
    """A command of a page, and its output there."""

    command: str
    output: str


def steps_of(block: str) -> list[Step]:
    """The commands of the inside of a block. A backslash at the end of a line continues it."""
    parts = re.split(r"^\$ ", block, flags=re.M)
    if parts[0].strip():
        raise ValueError(f"a console block begins with {PROMPT!r}: {block[:40]!r}")
    found = []
    for part in parts[1:]:
        lines = part.splitlines(keepends=True)
        last = next(i for i, line in enumerate(lines) if not line.endswith("\\\n"))
        found.append(Step("".join(lines[: last + 1]).rstrip("\n"), "".join(lines[last + 1 :])))
    return found


def page_steps(text: str) -> list[Step]:
    """The commands of a page, in order."""
    return [step for block in BLOCK.findall(text) for step in steps_of(block)]


def run(command: str, folder: Path) -> tuple[int, str]:
    """Exit status and output (both streams) of a command in a folder, as on a plain terminal."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": str(WIDTH),
        "NO_COLOR": "1",
        "TERM": "dumb",
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )
    lines = [line.rstrip() for line in done.stdout.replace("\r", "\n").splitlines()]
    shown = (line for line in lines if not PROGRESS.fullmatch(line))
    return done.returncode, "".join(f"{line}\n" for line in shown)


def agrees(expected: str, output: str) -> bool:
    """Whether an output is the one of the page, where ``...`` stands for anything."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(expected, output, flags)


def renewed(text: str, folder: Path) -> str:
    """The page with the outputs of this machine."""

    def block(match: re.Match[str]) -> str:
        out = []
        for step in steps_of(match[1]):
            _, output = run(step.command, folder)
            kept = step.output if agrees(step.output, output) else output
            out.append(f"{PROMPT}{step.command}\n{kept}")
        return "```console\n" + "".join(out) + "```"

    return BLOCK.sub(block, text)


def main() -> None:
    for name in sys.argv[1:]:
        page = Path(name)
        with tempfile.TemporaryDirectory() as folder:
            text = renewed(page.read_text(encoding="utf-8"), Path(folder))
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
