"""Recipes by name: every row of the paper's tables, a few to begin with, and the options of every method.

`registry` has them by name. A method's file here, NAME_rows.py, holds its options and how its rows are
trained; it imports no torch. The method itself is bcl_edu/methods/NAME.py.
"""

from bcl_edu.rows.listing import description, list_recipes
from bcl_edu.rows.registry import METHODS, RECIPES, ROWS, method_options, register_method_options
from bcl_edu.rows.row import PaperFigure, Row, provenance

__all__ = [
    "METHODS",
    "RECIPES",
    "ROWS",
    "PaperFigure",
    "Row",
    "description",
    "list_recipes",
    "method_options",
    "provenance",
    "register_method_options",
]
