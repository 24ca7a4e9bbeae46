"""The course: figures, widgets, exercises and claims. It imports the rest of the package, never the reverse."""
