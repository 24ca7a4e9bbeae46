"""Is BCL closer to the regular simplex than SCL on the way, without a network? When, and why?

    python benchmarks/mini_batch_geometry.py                       five seeds, about four minutes on one core;
                                                                   writes benchmarks/results/mini_batch_geometry.json
    python benchmarks/mini_batch_geometry.py --seeds 2 --steps 500 --output two-seeds.json

Unconstrained features (free embeddings; prototypes free, or at the class means; no network), ten classes of
50, 29, 17, 10, 6, 3, 2, 1, 1, 1 samples, two views, batches of 8 and of all 120. Two starts: "anywhere" on the
sphere, and "together", all embeddings within a narrow cone, where a network starts. For each case the deviation
from the simplex (root mean square over pairs of class means) of the certified optimum of that distribution of
batches, and of the embeddings along the way, for each seed. The learning rate grows with the temperature, as
the gradient's scale is 1/tau. Started again it goes on where it stopped.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from bcl_edu.geometry import (
    certified_optimum,
    embeddings_in_a_cone,
    full_batch,
    sampled_batches,
    unconstrained_dynamics,
)
from bcl_edu.training.checkpoint import write_atomically

COUNTS = [50, 29, 17, 10, 6, 3, 2, 1, 1, 1]
THREE = (("scl", None), ("bcl", "free"), ("bcl", "means"))
AVERAGING, COMPLEMENT = ("scl-averaging", None), ("scl-complement", "free")
STUDIES = (
    ("together", 0.1, 8, 1, (*THREE, AVERAGING, COMPLEMENT)),
    ("together", 0.1, 120, 1, (*THREE, AVERAGING)),
    ("anywhere", 0.3, 8, 1, THREE),
    ("together", 0.1, 120, 10, (("bcl", "free"),)),
    ("together", 0.1, 120, 120, (("bcl", "free"),)),
)
"""Start, temperature, batch size, how much faster prototypes step than the mean loss of a batch asks for, and losses
with where their prototypes are. A factor of 120 lets prototypes step on the sum of a full batch, as samples do."""
VIEWS = 2
CONE = 0.3
"""Width of the cone: the class means' cosines are about 0.95."""
EVERY = 2
MOMENTS = (0, 2, 4, 6, 10, 16, 24, 40, 60, 100, 160, 240, 400, 600, 1000, 1600, 2000)
"""Steps after which the deviation is kept."""
RESULTS = Path(__file__).parent / "results" / "mini_batch_geometry.json"


def optimum(case: dict[str, Any]) -> dict[str, float | bool]:
    """Deviation of the certified optimum, with prototypes free or tied to the class means as they are in training."""
    if case["batch_size"] == sum(COUNTS):
        batches = full_batch([VIEWS * n for n in COUNTS])
    else:
        batches = sampled_batches(COUNTS, case["batch_size"], num_batches=4000, views=VIEWS)
    found = certified_optimum(
        batches,
        case["loss"],
        temperature=case["temperature"],
        prototypes="free" if case["prototypes"] == "free" else "tied",
    )
    return {"optimum": found.deviation.rms, "certified": found.certified, "relative_gap": found.relative_gap}


def trained(case: dict[str, Any], steps: int, seeds: int) -> dict[str, Any]:
    """Deviation along the path of each seed, and within-class spread (mean over classes) likewise."""
    cones = [embeddings_in_a_cone(sum(COUNTS), len(COUNTS), width=CONE, seed=seed) for seed in range(seeds)]
    paths = [
        unconstrained_dynamics(
            COUNTS,
            case["loss"],
            temperature=case["temperature"],
            batch_size=case["batch_size"],
            views=VIEWS,
            steps=steps,
            learning_rate=case["temperature"],
            prototypes=case["prototypes"] or "free",
            prototype_learning_rate=case["prototype_rate"] * case["temperature"],
            record_every=EVERY,
            start=cones[seed] if case["start"] == "together" else None,
            seed=seed,
        )
        for seed in range(seeds)
    ]
    kept = [step // EVERY for step in MOMENTS if step <= steps]
    return {
        "step": paths[0].step[kept].tolist(),
        "deviation": [_rounded(path.deviation[kept]) for path in paths],
        "spread": [_rounded(path.spread[kept].mean(dim=1)) for path in paths],
    }


def _rounded(values: torch.Tensor) -> list[float]:
    return [round(value, 5) for value in values.tolist()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0")
    parser.add_argument("--steps", type=int, default=2000, help="SGD steps of each run")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the rows are written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    facts = {
        "counts": COUNTS,
        "views": VIEWS,
        "cone": CONE,
        "steps": arguments.steps,
        "seeds": list(range(arguments.seeds)),
        "torch": torch.__version__,
    }
    rows: list[dict[str, Any]] = []
    if arguments.output.exists():
        stored = json.loads(arguments.output.read_text())
        rows = stored.pop("rows")
        if stored != facts:
            raise SystemExit(f"{arguments.output} is of another study; remove it, or choose another --output")
    for start, temperature, batch_size, prototype_rate, losses in STUDIES:
        for loss, prototypes in losses:
            case = {
                "start": start,
                "temperature": temperature,
                "batch_size": batch_size,
                "prototype_rate": prototype_rate,
                "loss": loss,
                "prototypes": prototypes,
            }
            if any(row | case == row for row in rows):
                continue
            rows.append(case | optimum(case) | trained(case, arguments.steps, arguments.seeds))
            write_atomically(arguments.output, (json.dumps(facts | {"rows": rows}) + "\n").encode())
            mean = torch.tensor(rows[-1]["deviation"]).mean(dim=0)
            print(*case.values(), f"optimum {rows[-1]['optimum']:.4f}; path", _rounded(mean), flush=True)


if __name__ == "__main__":
    main()
