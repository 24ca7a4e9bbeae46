"""Balanced contrastive learning for long-tailed recognition: an educational toolkit.

Rooms, in the direction data flows: ``datasets`` -> ``views`` -> ``models`` -> ``losses`` -> ``methods`` ->
``training``; beside them ``geometry`` (simplex, bounds, certified optima), ``figures`` and ``widgets``.
Nothing is imported here: ``import bcl_edu`` costs nothing, import the room you need.
"""

__version__ = "0.1.0"
