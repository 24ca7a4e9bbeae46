"""Write the training sphere as one HTML file that works from disk, without Python and without a network.

python -m bcl_edu.course.widgets.sphere sphere.html
python -m bcl_edu.course.widgets.sphere sphere.html --num-classes 10 --losses bcl bcl-class-anchors --no-opening
"""

from __future__ import annotations

import argparse
import sys

from bcl_edu.course.widgets.sphere.sphere_page import write_sphere_page
from bcl_edu.course.widgets.sphere.training_settings import LOSSES, TrainingSettings


def main(arguments: list[str] | None = None) -> int:
    """Write the page; 2 if a setting is out of range."""
    default = TrainingSettings()
    parser = argparse.ArgumentParser(
        prog="python -m bcl_edu.course.widgets.sphere",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("page", help="where to write it")
    parser.add_argument("--imbalance-factor", type=float, help="1 to 100")
    parser.add_argument("--temperature", type=float, help="0.05 to 2")
    parser.add_argument("--num-classes", type=int, help="3 to 10")
    parser.add_argument("--dimension", type=int, help="2: circle, 3: sphere")
    parser.add_argument("--losses", nargs=2, metavar="LOSS", help=f"two of {', '.join(LOSSES)}")
    parser.add_argument("--batch-size", type=int, help="8 or 32; 0: all pictures")
    parser.add_argument("--learning-rate", type=float, help="0.005 to 0.5")
    parser.add_argument("--prototypes", help="means, free or off")
    parser.add_argument("--start", help="cone or random")
    parser.add_argument("--seed", type=int, help="of the start and the batches, 0 to 9999")
    parser.add_argument("--speed", type=float, help="0.25, 1 or 4")
    for name in TrainingSettings.__dataclass_fields__:
        parser.set_defaults(**{name: getattr(default, name)})
    parser.add_argument(
        "--no-opening", action="store_true", help="without what is shown in the first seconds"
    )
    parser.add_argument("--paused", action="store_true", help="train only when the reader presses Play")
    options = parser.parse_args(arguments)
    chosen = {name: getattr(options, name) for name in TrainingSettings.__dataclass_fields__}
    try:
        settings = TrainingSettings(**chosen)
    except ValueError as problem:
        parser.error(str(problem))
    print(
        write_sphere_page(options.page, settings, opening=not options.no_opening, playing=not options.paused)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
