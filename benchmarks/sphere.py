"""Frames a second of the training sphere, in headless Chromium, beside a page that only counts frames.

    python benchmarks/sphere.py                  all scenes (about a minute and a half)
    python benchmarks/sphere.py --seconds 2      quicker

The two sides of a scene train from one start, so that 400 points are 800 in all. Each scene is measured in turns with a
page that draws nothing: what else the machine does slows both. Milliseconds are those of the page's thread in a frame,
on the clock, so that they include waiting for a processor that others use:

    frames      a second, sphere and empty page; ratio: of the two, within each round
    train       all steps of the frame, both losses
    draw        both spheres
    steps       a second; 60 are wanted at speed 1
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from common import RESULTS, facts, ratios, spread, table, verdict, write
from explorer import CHROMIUM_FLAGS
from playwright.sync_api import Page, sync_playwright

from bcl_edu.course.widgets.sphere import write_sphere_page

GOAL_FRAMES = 30.0

# name, K, imbalance factor, losses, batch size
SCENES = [
    ("400 points, 10 classes", 10, 1, ("scl", "bcl"), 0),
    ("400 points, 4 classes", 4, 1, ("scl", "bcl-class-anchors"), 0),
    ("as it opens, 128 points", 4, 100, ("scl", "bcl-class-anchors"), 0),
    ("10 classes, batches of 32", 10, 40, ("scl", "bcl"), 32),
    ("400 points, L3 and a classifier", 10, 1, ("bcl-prototypes", "ce"), 0),
]

INSTRUMENTS = """() => {
    window.log = { frames: [], train: [], draw: [] };
    const count = (now) => { log.frames.push(now); requestAnimationFrame(count); };
    requestAnimationFrame(count);
    if (!window.sphere) return;
    let training = 0;
    const { train, drawSpheres, onFrame } = sphere;
    sphere.train = () => {
        const start = performance.now();
        train.call(sphere);
        training += performance.now() - start;
    };
    sphere.drawSpheres = () => {
        const start = performance.now();
        drawSpheres.call(sphere);
        log.draw.push(performance.now() - start);
    };
    sphere.onFrame = (now) => {
        training = 0;
        onFrame.call(sphere, now);
        log.train.push(training);
    };
}"""


def frames_a_second(page: Page, seconds: float) -> tuple[float, dict[str, list[float]]]:
    """Frames a second on the clock of the page, and what it noted meanwhile."""
    page.bring_to_front()
    page.wait_for_timeout(300)
    page.evaluate("() => { for (const list of Object.values(log)) list.length = 0; }")
    page.wait_for_timeout(1000 * seconds)
    log = page.evaluate("() => log")
    frames = log["frames"]
    return 1000 * (len(frames) - 1) / (frames[-1] - frames[0]), log


def measure(sphere: Page, empty: Page, scene: tuple, seconds: float, rounds: int) -> dict:
    """One scene, in turns with the empty page."""
    name, num_classes, imbalance_factor, losses, batch_size = scene
    settings = {
        "numClasses": num_classes,
        "imbalanceFactor": imbalance_factor,
        "losses": losses,
        "batchSize": batch_size,
        "speed": 1,
    }
    found: dict[str, list[float]] = {key: [] for key in ("frames", "empty", "train", "draw", "steps")}
    for _ in range(rounds):
        sphere.bring_to_front()
        sphere.evaluate("s => { sphere.set(s); sphere.restartAndDraw(); sphere.play(true); }", settings)
        sphere.evaluate(
            "() => Object.defineProperty(sphere, 'settled', { get: () => false, configurable: true })"
        )  # train on at rest, too
        begin = sphere.evaluate("[performance.now(), sphere.stepCount]")
        frames, log = frames_a_second(sphere, seconds)
        end = sphere.evaluate("[performance.now(), sphere.stepCount]")
        sphere.evaluate("sphere.play(false)")
        found["frames"].append(frames)
        found["steps"].append(1000 * (end[1] - begin[1]) / (end[0] - begin[0]))
        found["train"] += log["train"]
        found["draw"] += log["draw"]
        found["empty"].append(frames_a_second(empty, seconds / 2)[0])
    return {
        "scene": name,
        "classes": num_classes,
        "points": sum(sphere.evaluate("sphere.counts")),
        "losses": list(losses),
        "batch_size": batch_size,
        "load_average_1min": round(os.getloadavg()[0], 2),
        "frames_a_second": spread(found["frames"], 1),
        "empty_page": spread(found["empty"], 1),
        "ratio": ratios(found["frames"], found["empty"]),
        "train_ms": spread(found["train"], 2),
        "draw_ms": spread(found["draw"], 2),
        "steps_a_second": spread(found["steps"], 1),
    }


def for_the_page(scenes: list[dict]) -> dict:
    """What the page of all benchmarks shows."""
    columns = ["scene", "frames a second", "empty page", "ratio", "train, ms", "draw, ms", "steps a second"]
    parts = ["frames_a_second", "empty_page", "ratio", "train_ms", "draw_ms", "steps_a_second"]
    rows = [[scene["scene"], *(scene[part]["median"] for part in parts)] for scene in scenes]
    goal = "training sphere: frames a second with 400 points and 10 classes, median"
    return {
        "verdicts": [verdict(goal, scenes[0]["frames_a_second"]["median"], at_least=GOAL_FRAMES)],
        "tables": [table("The sphere that trains, medians", columns, rows)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="of each round of a scene")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS / "sphere.json")
    arguments = parser.parse_args()

    path = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None)
    if path is None:
        raise SystemExit("no Chromium on the PATH (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        html = write_sphere_page(Path(folder) / "sphere.html", opening=False, playing=False)
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        report = facts() | {"scenes": []}
        report["versions"]["chromium"] = browser.version
        sphere, empty = (browser.new_page(viewport={"width": 1280, "height": 900}) for _ in range(2))
        sphere.goto(html.as_uri())
        for page in (sphere, empty):
            page.evaluate(INSTRUMENTS)
        for scene in SCENES:
            report["scenes"].append(measure(sphere, empty, scene, arguments.seconds, arguments.rounds))
        browser.close()
    write(report | for_the_page(report["scenes"]), arguments.output)


if __name__ == "__main__":
    main()
