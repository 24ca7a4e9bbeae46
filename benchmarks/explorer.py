"""From key press to picture in the simplex explorer, in headless Chromium; and what a precomputed grid would cost.

    python benchmarks/explorer.py                     all scenes (a minute and a half)
    python benchmarks/explorer.py --presses 12        quicker

Each scene starts with an empty memory and presses the right arrow key on the imbalance slider, every tenth of a second,
slower than any of it takes. Milliseconds:

    to_paint      from the time stamp of the key press until the first frame with a picture of the new settings is
                  painted (a message posted in its animation frame arrives: Chromium sends it after painting)
    to_certified  from there until the frame is painted in which both pictures are the certified optima; where the
                  first picture is certified, the same
    off           how far the first picture has a class mean from where the certified one has it, at most, in percent of
                  the sphere's radius
    carried_on    first pictures of which a side is the last two optima carried on, since no step of the solver would
                  have been done in time
    solve         solving both losses for the first picture, when nothing is remembered
    draw          everything else that the key press does on the page's thread: pictures, curve, numbers
    remembered    to_paint again over the first third of them, nothing to solve: what a precomputed grid would give
    in_use        to_paint as the page is: in the tenth of a second between two keys it solves what lies next

`moved` counts the presses after which the first picture has at least one class mean elsewhere than the picture before
(some settings leave every class mean where it was).

A state is dropped if a key press never led to a painted picture of its own. Keys are held down at 30 presses a second,
the fastest that keyboards repeat, and at 60.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from common import RESULTS, facts, table, verdict, write
from playwright.sync_api import Page, sync_playwright

from bcl_edu.course.widgets.explorer import LOSSES, write_page

GOAL_TO_PAINT = 16.0
BETWEEN_PRESSES = 0.1
"""Seconds between single key presses: time enough for everything that follows one."""

FIGURES = ("to_paint", "to_certified", "off", "solve", "draw", "remembered", "in_use")

CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
]

# K, tau, losses, batch size
SCENES = [
    (4, 0.1, ("scl", "bcl"), 0),
    (4, 1.0, ("bcl", "bcl-class-anchors"), 0),
    (10, 0.1, ("scl", "bcl"), 0),
    (10, 1.0, ("scl", "bcl"), 0),
    (10, 0.1, ("scl", "bcl"), 256),
    (10, 1.0, ("scl", "scl-complement"), 256),
    (10, 0.1, ("ce", "lc"), 0),
    (10, 1.0, ("ce", "lc"), 0),
]

INSTRUMENTS = """() => {
    window.log = { pressed: [], drawn: [], painted: [], certified: [], moved: [], off: [], carried: [],
                   solves: [], draws: [] };
    const factors = Array.from({ length: 61 }, (_, i) => Number((10 ** (i / 20)).toPrecision(2)));
    addEventListener('keydown', event => log.pressed.push(event.timeStamp), true);
    const solve = explorer.optima.solve.bind(explorer.optima);
    let solving = 0;
    explorer.optima.solve = (...asked) => {
        const start = performance.now();
        const optimum = solve(...asked);
        solving += performance.now() - start;
        return optimum;
    };
    const places = () => explorer.shown.flatMap(optimum => [...optimum.positions]);
    const means = document.getElementsByClassName('class-mean');
    const dots = () => Array.from(means, dot => dot.getAttribute('transform')).join();
    const furthest = (a, b) => {
        const axes = explorer.settings.numClasses - 1;
        const squares = new Float64Array(a.length / axes);
        a.forEach((value, i) => { squares[Math.floor(i / axes)] += (value - b[i]) ** 2; });
        return Math.sqrt(Math.max(...squares));
    };
    let first = null;
    const draw = explorer.draw.bind(explorer);
    explorer.draw = milliseconds => {
        const before = dots();
        const start = performance.now();
        solving = 0;
        draw(milliseconds);
        const solved = solving;
        const took = performance.now() - start - solved;
        const shown = explorer.settings.imbalanceFactor;
        const from = log.pressed[factors.indexOf(shown) - 1];  // the presses start from the left end
        const fresh = log.drawn.at(-1) !== shown;
        const certified = explorer.shown.every(optimum => optimum.certified);
        if (fresh) {
            log.drawn.push(shown);
            log.solves.push(solved);
            log.draws.push(took);
            log.moved.push(dots() !== before);
            log.carried.push(explorer.shown.some(optimum => optimum.gap === Infinity));
            first = places();
        }
        if (certified) log.off.push(100 * furthest(first, places()));
        requestAnimationFrame(() => {
            if (explorer.settings.imbalanceFactor !== shown) return;  // overtaken before it was painted
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => {
                if (fresh) log.painted.push([shown, performance.now() - from]);
                if (certified) log.certified.push([shown, performance.now() - from]);
            };
            port2.postMessage(0);
        });
    };
}"""


def press_keys(page: Page, presses: int, seconds_apart: float) -> dict:
    """Press the right arrow this often, and what the page recorded."""
    page.evaluate("() => { for (const list of Object.values(log)) list.length = 0; }")
    due = time.perf_counter()
    for _ in range(presses):
        page.keyboard.press("ArrowRight")
        due += seconds_apart
        time.sleep(max(0.0, due - time.perf_counter()))
    page.wait_for_function("() => !explorer.painting", timeout=60_000)
    page.wait_for_timeout(100)
    return page.evaluate("() => log")


def to_start(page: Page, scene: tuple, *, forget: bool) -> None:
    num_classes, temperature, losses, batch_size = scene
    settings = {
        "numClasses": num_classes,
        "temperature": temperature,
        "losses": losses,
        "batchSize": batch_size,
    }
    if forget:
        page.evaluate("() => { explorer.optima.solved.clear(); explorer.optima.latest.clear(); }")
    page.evaluate("s => explorer.set({ ...s, imbalanceFactor: 1 })", settings)
    page.focus(".imbalanceFactor input")
    page.wait_for_timeout(150)  # until that is painted


def summary(values: list[float]) -> dict[str, float | int]:
    ordered = sorted(values)
    return {
        "n": len(ordered),
        "median": round(statistics.median(ordered), 2),
        "p95": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 2),
        "largest": round(ordered[-1], 2),
    }


def measure(page: Page, scene: tuple, presses: int) -> dict:
    num_classes, temperature, losses, batch_size = scene
    page.evaluate("() => { delete explorer.continueCurve; }")
    to_start(page, scene, forget=True)
    in_use = press_keys(page, presses, BETWEEN_PRESSES)
    # the curve would be solved ahead in the pauses, and every press be remembered
    page.evaluate("() => { explorer.continueCurve = () => {}; }")
    to_start(page, scene, forget=True)
    single = press_keys(page, presses, BETWEEN_PRESSES)
    to_start(page, scene, forget=False)
    again = press_keys(page, max(1, presses // 3), BETWEEN_PRESSES)
    held = {}
    for rate in (30, 60):
        to_start(page, scene, forget=True)
        log = press_keys(page, presses, 1 / rate)
        held[f"{rate}_per_second"] = {
            "presses": presses,
            "drawn": len(log["drawn"]),
            "painted": len(log["painted"]),
            "to_paint": summary([milliseconds for _, milliseconds in log["painted"]]),
        }
    return {
        "classes": num_classes,
        "temperature": temperature,
        "losses": list(losses),
        "batch_size": batch_size,
        "to_paint": summary([milliseconds for _, milliseconds in single["painted"]]),
        "to_certified": summary([milliseconds for _, milliseconds in single["certified"]]),
        "off": summary(single["off"]),
        "moved": sum(single["moved"]),
        "carried_on": sum(single["carried"]),
        "solve": summary(single["solves"]),
        "draw": summary(single["draws"]),
        "remembered": summary([milliseconds for _, milliseconds in again["painted"]]),
        "in_use": summary([milliseconds for _, milliseconds in in_use["painted"]]),
        "held": held,
    }


def whole_curve(page: Page, scene: tuple) -> float:
    """Seconds until the curve over the imbalance factor is complete, solved in the pauses."""
    to_start(page, scene, forget=True)
    start = time.perf_counter()
    page.evaluate("() => { delete explorer.continueCurve; explorer.continueCurve(); }")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.curve .dots')].every(d => d.getAttribute('d').split('M').length === 62)"
    )
    return round(time.perf_counter() - start, 3)


def precomputed_grid(page_bytes: int) -> dict:
    """What a grid over all slider positions would weigh: cosines as 4-byte numbers, nothing else."""
    positions = 61 * 33 * len(LOSSES) * 7  # imbalance factors, temperatures, losses, batch sizes
    entries = sum(k * (k - 1) // 2 for k in range(2, 11))
    return {
        "optima": positions * 9,
        "megabytes": round(positions * entries * 4 / 1e6, 1),
        "page_megabytes_solving_instead": round(page_bytes / 1e6, 3),
    }


def for_the_page(scenes: list[dict]) -> dict:
    """What the page shows."""
    columns = [
        "K",
        "tau",
        "losses",
        "batch",
        "to paint, ms (95 %)",
        "to certified",
        "first picture off, %",
        "solve",
    ]
    columns += ["draw", "remembered", "in use", "carried on"]
    columns += ["painted at 30 presses a second", "at 60"]
    rows = []
    for scene in scenes:
        figures = [f"{scene[name]['median']:.1f} ({scene[name]['p95']:.1f})" for name in FIGURES]
        held = [f"{part['painted']} of {part['presses']}" for part in scene["held"].values()]
        losses = ", ".join(scene["losses"])
        rows.append(
            [
                scene["classes"],
                scene["temperature"],
                losses,
                scene["batch_size"] or "all",
                *figures,
                f"{scene['carried_on']} of {scene['to_paint']['n']}",
                *held,
            ]
        )
    slowest = max(scene["to_paint"]["median"] for scene in scenes)
    certified = max(scene["to_certified"]["median"] for scene in scenes)
    carried = sum(scene["carried_on"] for scene in scenes)
    painted = sum(scene["to_paint"]["n"] for scene in scenes)
    first = f"to the first picture, which in {carried} of {painted} is carried on and not solved"
    goals = {first: slowest, "to a certified picture": certified}
    return {
        "verdicts": [
            verdict(
                f"explorer: ms from key press {goal}; median of the slowest scene",
                found,
                at_most=GOAL_TO_PAINT,
            )
            for goal, found in goals.items()
        ],
        "tables": [table("From key press to picture, median (95th percentile)", columns, rows)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--presses", type=int, default=60, help="key presses a measurement (at most 60 positions)"
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "explorer.json")
    arguments = parser.parse_args()

    path = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None)
    if path is None:
        raise SystemExit("no Chromium on the PATH (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        html = write_page(Path(folder) / "explorer.html")
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        report = facts() | {"scenes": []}
        report["versions"]["chromium"] = browser.version
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(html.as_uri())
        page.evaluate(INSTRUMENTS)
        to_start(page, SCENES[0], forget=True)
        press_keys(page, arguments.presses, 0.02)  # compile
        for scene in SCENES:
            result = measure(page, scene, arguments.presses)
            result["whole_curve_seconds"] = whole_curve(page, scene)
            report["scenes"].append(result)
            held = result["held"]
            print(
                f"K {scene[0]:2} tau {scene[1]} {' / '.join(scene[2]):24} batch {scene[3]:3}   ms, median (p95): "
                + "  ".join(
                    f"{name} {result[name]['median']:.1f} ({result[name]['p95']:.1f})" for name in FIGURES
                )
                + "   painted "
                + ", ".join(f"{part['painted']}/{part['presses']} at {rate}" for rate, part in held.items())
                + f"   curve {result['whole_curve_seconds']} s",
                flush=True,
            )
        report["precomputed_grid"] = precomputed_grid(html.stat().st_size)
        browser.close()
    write(report | for_the_page(report["scenes"]), arguments.output)


if __name__ == "__main__":
    main()
