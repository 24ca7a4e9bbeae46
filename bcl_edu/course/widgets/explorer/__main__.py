"""Write the simplex explorer as one HTML file that works from disk, without Python and without a network.

python -m bcl_edu.course.widgets.explorer explorer.html
python -m bcl_edu.course.widgets.explorer explorer.html --num-classes 10 --losses bcl bcl-class-anchors
"""

from __future__ import annotations

import argparse
import sys

from bcl_edu.course.widgets.explorer.page import write_page
from bcl_edu.course.widgets.explorer.settings import LOSSES, Settings


def main(arguments: list[str] | None = None) -> int:
    """Write the page; 2 if a setting is out of range."""
    start = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m bcl_edu.course.widgets.explorer",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("page", help="where to write it")
    parser.add_argument("--imbalance-factor", type=float, default=start.imbalance_factor, help="1 to 1000")
    parser.add_argument("--temperature", type=float, default=start.temperature, help="0.05 to 2")
    parser.add_argument("--num-classes", type=int, default=start.num_classes, help="2 to 10")
    parser.add_argument(
        "--losses", nargs=2, default=start.losses, metavar="LOSS", help=f"two of {', '.join(LOSSES)}"
    )
    parser.add_argument(
        "--batch-size", type=int, default=start.batch_size, help="2 to 2048; 0: the full data"
    )
    options = parser.parse_args(arguments)
    try:
        settings = Settings(
            options.imbalance_factor,
            options.temperature,
            options.num_classes,
            tuple(options.losses),
            options.batch_size,
        )
    except ValueError as problem:
        parser.error(str(problem))
    print(write_page(options.page, settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
