"""docs/benchmarks.md and its plots, from the records of the benchmarks.

    python -m tools.benchmark_page             # run every benchmark of `make bench`, then write the page
    python -m tools.benchmark_page write       # only write the page, from the records that there are
    python -m tools.benchmark_page check       # say whether the page is what the records give; exit 1 if not

A record is benchmarks/results/NAME.json; what it holds for the page is said in benchmarks/common.py. Each plot's file
is named by what is drawn in it, so that a page that is up to date has plots that are.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from bcl_edu.course.figures.style import empty_figure, series_style
from bcl_edu.files import write_atomically
from benchmarks import common

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"
PAGE = ROOT / "docs" / "benchmarks.md"
PLOTS = ROOT / "docs" / "benchmarks"

QUICK = ("loss", "views", "step", "throughput", "start", "estimate", "growth", "solver", "explorer")
"""What `make bench` runs, in the order of the page."""
MINUTES = 15.0
"""The goal for all of them together, on two cores with nothing else to do."""
WHOLE = "bench"
"""The record of how long they took."""

Record = Mapping[str, Any]


def scripts() -> dict[str, Path]:
    """The benchmarks by name: those of `make bench` first, then those that take longer or need other hardware."""
    found = {path.stem: path for path in sorted(BENCHMARKS.glob("*.py")) if path.stem != "common"}
    order = [*(name for name in QUICK if name in found), *(name for name in found if name not in QUICK)]
    return {name: found[name] for name in order}


def records() -> dict[str, Record]:
    """What was measured, by the name of the benchmark."""
    return {
        path.stem: json.loads(path.read_text()) for path in sorted((BENCHMARKS / "results").glob("*.json"))
    }


def page_text(found: Mapping[str, Record]) -> str:
    """The whole page."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `python -m tools.benchmark_page write` from the records in",
        "[benchmarks/results](../benchmarks/results): do not edit it. `make bench` measures everything anew.",
        "Each script says at its top what its sides are and how they are timed. Ratios are taken within one run, times",
        "are medians; a load average far above the number of threads says that the machine was busy with other work.",
        "",
        *_goals(found),
    ]
    for name, script in scripts().items():
        if name in found and name in QUICK:
            lines += _section(name, script, found[name])
            for beside in found:  # what the same script measured on demand, NAME_BESIDE.json
                if beside.startswith(f"{name}_"):
                    lines += _measured(beside, script, found[beside])
    if WHOLE in found:
        lines += ["## make bench", "", "How long all of the above took together.", ""]
        lines += _results(WHOLE, f"[Record](../benchmarks/results/{WHOLE}.json).", found[WHOLE])
    lines += ["## Not part of `make bench`", "", "These take longer, or need other hardware.", ""]
    others = {name: script for name, script in scripts().items() if name not in QUICK}
    for name, script in others.items():
        record = f", [record](../benchmarks/results/{name}.json)" if name in found else ""
        lines.append(f"- [{script.name}](../benchmarks/{script.name}){record}: {_first_line(script)}")
    lines.append("")
    for name, script in others.items():
        if found.get(name, {}).get("tables"):
            lines += [f"### {name}", "", *_measured(name, script, found[name])]
    return "\n".join(lines).rstrip() + "\n"


def _in_order(found: Mapping[str, Record]) -> list[str]:
    """The names of the records, those of `make bench` first."""
    return [*(name for name in QUICK if name in found), *(name for name in found if name not in QUICK)]


def _goals(found: Mapping[str, Record]) -> list[str]:
    """All goals in one table, the missed ones first."""
    verdicts = [verdict for name in _in_order(found) for verdict in found[name].get("verdicts", [])]
    verdicts.sort(key=lambda verdict: verdict["met"])
    met = sum(verdict["met"] for verdict in verdicts)
    rows = [
        [verdict["goal"], verdict["measured"], verdict["bound"], "met" if verdict["met"] else "**missed**"]
        for verdict in verdicts
    ]
    return [
        "## Goals",
        "",
        f"{met} of {len(verdicts)} are met.",
        "",
        *_table(["goal", "measured", "goal is", "verdict"], rows),
    ]


def _section(name: str, script: Path, record: Record) -> list[str]:
    return [f"## {name}", "", _first_line(script), "", *_measured(name, script, record)]


def _measured(name: str, script: Path, record: Record) -> list[str]:
    """Origin, tables and plots of a script's record."""
    origin = f"[Script](../benchmarks/{script.name}), [record](../benchmarks/results/{name}.json)."
    return _results(name, origin, record)


def _results(name: str, origin: str, record: Record) -> list[str]:
    """Origin, tables and plots of a record."""
    lines = [f"{origin} {_facts(record)}".rstrip(), ""]
    for table in record.get("tables", []):
        lines += [f"*{table['title']}*", "", *_table(table["columns"], table["rows"])]
    for plot in record.get("plots", []):
        alternative = f"{plot['title']}: {plot['y']} over {plot['x']}; {', '.join(plot['series'])}"
        lines += [f"![{alternative}](benchmarks/{plot_file(name, plot)})", ""]
    return lines


def _facts(record: Record) -> str:
    """When, on what and with what it was measured, as far as the record says."""
    if "measured" not in record:
        return ""
    known = {**record["machine"], **record["versions"]}
    listed = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in known.items())
    return f"Measured {record['measured']}: {listed}."


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    return [line(columns), "|" + "---|" * len(columns), *map(line, rows), ""]


def _first_line(script: Path) -> str:
    return (ast.get_docstring(ast.parse(script.read_text())) or "").split("\n")[0]


def plot_file(name: str, plot: Mapping[str, Any]) -> str:
    """Name of a plot's file, which changes with what is drawn."""
    digest = hashlib.sha256(json.dumps(plot, sort_keys=True).encode()).hexdigest()
    return f"{name}-{digest[:10]}.svg"


def figure(plot: Mapping[str, Any]) -> go.Figure:
    """A plot of a record, both axes logarithmic."""
    alternative = f"{plot['y']} over {plot['x']}, both on logarithmic axes"
    drawn = empty_figure(plot["title"], plot["look_at"], alternative, height=420)
    for position, (name, points) in enumerate(plot["series"].items()):
        style = series_style(position)
        drawn.add_scatter(
            x=points["x"],
            y=points["y"],
            name=name,
            mode="lines+markers",
            line={"color": style.colour, "dash": style.dash},
            marker={"symbol": style.symbol, "size": 9},
        )
    drawn.update_xaxes(type="log", title=plot["x"], **_ticks(plot, "x"))
    drawn.update_yaxes(type="log", title=plot["y"], **_ticks(plot, "y"))
    return drawn


def _ticks(plot: Mapping[str, Any], axis: str) -> dict[str, object]:
    """Powers of ten; where there would be but a few, also twice and five times each."""
    values = [value for points in plot["series"].values() for value in points[axis]]
    if max(values) > 100 * min(values):
        return {"dtick": 1, "exponentformat": "power"}
    return {"dtick": "D2", "tickformat": ",~g"}


def write() -> None:
    """Write the page and its plots; plots that no record has any more go."""
    found = records()
    wanted = {plot_file(name, plot): plot for name in found for plot in found[name].get("plots", [])}
    PLOTS.mkdir(parents=True, exist_ok=True)
    for file, plot in wanted.items():
        if not (PLOTS / file).exists():
            write_atomically(PLOTS / file, figure(plot).to_image(format="svg", width=760, height=420))
    write_atomically(PAGE, page_text(found).encode())
    for path in PLOTS.glob("*.svg"):
        if path.name not in wanted:
            path.unlink()


def problems() -> Iterator[str]:
    """What the page lacks of what the records give."""
    if not PAGE.exists() or PAGE.read_text() != page_text(records()):
        yield f"{PAGE.relative_to(ROOT)} is not what the records give; python -m tools.benchmark_page write"
    found = records()
    for name, record in found.items():
        for plot in record.get("plots", []):
            if not (PLOTS / plot_file(name, plot)).exists():
                yield f"the plot {plot['title']!r} of {name} is missing; python -m tools.benchmark_page write"


def run_all() -> int:
    """Run every quick benchmark, one after another, then write the page; the number of those that failed."""
    failed = []
    seconds: dict[str, float] = {}
    facts = common.facts()
    for name, script in scripts().items():
        if name not in QUICK:
            continue
        began = time.monotonic()
        print(f"\n==== {name}", flush=True)
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        }
        if subprocess.run([sys.executable, str(script)], env=environment).returncode:
            failed.append(name)
        seconds[name] = round(time.monotonic() - began, 1)
        print(f"==== {name}: {seconds[name]:.0f} s", flush=True)
    if not failed:
        common.write(facts | whole(seconds), BENCHMARKS / "results" / f"{WHOLE}.json")
    write()
    print(f"\nthe page is {PAGE.relative_to(ROOT)}")
    if failed:
        print(f"failed, so that older records stand in the page: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


def whole(seconds: Mapping[str, float]) -> dict[str, Any]:
    """What the page shows of a whole run: each script's seconds, and the goal for all together."""
    minutes = round(sum(seconds.values()) / 60, 1)
    goal = "make bench: minutes by the clock, all scripts one after another"
    rows = [[name, round(value)] for name, value in seconds.items()]
    return {
        "verdicts": [common.verdict(goal, minutes, at_most=MINUTES)],
        "tables": [common.table("What make bench took", ["script", "seconds by the clock"], rows)],
        "seconds": dict(seconds),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=("run", "write", "check"), default="run")
    what = parser.parse_args().what
    if what == "check":
        sys.exit("\n".join(problems()) or 0)
    if what == "write":
        write()
        return
    sys.exit(min(run_all(), 1))


if __name__ == "__main__":
    main()
