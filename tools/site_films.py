"""Record the films that stand on the site for networks which notebook 01 trains while the reader watches.

    python -m tools.site_films      # trains both for some seconds, writes tools/site_assets/films/*.json

The site is built from stored notebooks and runs nothing, and a notebook has no room for these films. The networks are
those of notebook 01, section 3, from the same seed.
"""

from __future__ import annotations

import json
from dataclasses import replace

from bcl_edu.course.widgets import train_quietly
from bcl_edu.rows import RECIPES
from tools.site_figures import FILMS

EVERY = 2
"""Of so many epochs one is shown."""
DIGITS = 3
"""Digits of a coordinate: finer than a pixel."""


def main() -> None:
    """Train and write."""
    exact = RECIPES["digits-lt"][1].change(method="scl", head_dim=3, temperature=0.3)
    runs = {
        "balanced": (replace(exact, head_count=37, imbalance_factor=1), "Class means of equally many images"),
        "long_tailed": (exact, "Class means with a long tail"),
    }
    FILMS.mkdir(exist_ok=True)
    for name, (recipe, title) in runs.items():
        drawing = json.loads(train_quietly(recipe).film(title, every=EVERY).to_json())
        shown = {part: _rounded(drawing.get(part, [])) for part in ("data", "layout", "frames")}
        path = FILMS / f"{name}.json"
        path.write_text(json.dumps(shown, separators=(",", ":")), "utf-8")
        print(path, path.stat().st_size)


def _rounded(value: object) -> object:
    """The same, with numbers of few digits."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value


if __name__ == "__main__":
    main()
