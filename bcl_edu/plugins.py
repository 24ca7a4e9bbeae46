"""Plugins: a user's own backbones, losses and methods, registered by a few lines in a file or notebook.

A file is named with `--plugin my_file.py` in every command, and read before anything else; in a notebook the decorators
are enough. Registered names then stand beside those of this package: `--backbone`, `--method`, and in records.
docs/own_method.md shows each kind.

The code of a plugin runs with the rights of whoever names it. A run's record says which plugins it had, by name and
hash, but nothing ever loads one because a record says so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from bcl_edu.files import read_text, user_path
from bcl_edu.recipe import MethodOptions
from bcl_edu.rows.own_loss_options import FUNCTIONS, LossOnEmbeddings, LossOnLogits
from bcl_edu.rows.registry import METHODS, register_method_options

if TYPE_CHECKING:  # torch, which a command's help need not wait for
    from torch import nn

    from bcl_edu.methods import Method

BuildBackbone = TypeVar("BuildBackbone", bound="Callable[[int], nn.Module]")
Loss = TypeVar("Loss", bound=Callable[..., Any])
OwnMethod = TypeVar("OwnMethod", bound="type[Method]")

LOADED: list[dict[str, str]] = []
"""Name and SHA-256 of each plugin file that was loaded, for the record of a run."""

_OWN_METHODS: set[str] = set()


def load_plugins(paths: Iterable[Path | str]) -> None:
    """Run plugin files, in this order. An error in one is shown as Python shows it: the code is the user's.

    Raises:
        ValueError: a file cannot be read.
    """
    for path in map(user_path, paths):
        text = read_text(path)
        name = f"bcl_edu_plugin_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ValueError(f"{path} is no Python file; a plugin's name ends in .py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # the types of options are looked up there
        spec.loader.exec_module(module)
        facts = {"file": path.name, "sha256": hashlib.sha256(text.encode()).hexdigest()}
        LOADED[:] = [one for one in LOADED if one["file"] != path.name] + [facts]


def register_backbone(name: str) -> Callable[[BuildBackbone], BuildBackbone]:
    """Register what builds a backbone, as a decorator; `--backbone name` then uses it.

    The function takes the number of channels of the images, and returns a module that turns images (n, channels,
    height, width) into features (n, feature_dim), with `feature_dim` as an attribute.

    Args:
        name: for `--backbone`. An own name may be registered again, which replaces it.

    Raises:
        ValueError: a backbone of this package has the name.
    """

    def register(build: BuildBackbone) -> BuildBackbone:
        from bcl_edu.models.backbones import add_backbone

        add_backbone(name, build)
        return build

    return register


def register_loss(
    name: str, title: str = "a loss of one's own", *, on: Literal["logits", "embeddings"] = "logits"
) -> Callable[[Loss], Loss]:
    """Register a loss as a decorator; `--method name` then trains with it.

    - On logits: `loss(logits, labels, class_counts)`, of a classifier on the backbone; shapes (n, k), (n,), (k,).
    - On embeddings: `loss(embeddings, labels, prototypes, class_counts)`, beside logit compensation as in BCL. The unit
      vectors of v2 and then v3 of every image, shape (2n, d), their labels (2n,), a unit vector for each class (k, d).

    Both return a scalar. They see the batch of all processes.

    Args:
        name: for `--method`. An own name may be registered again, which replaces it.
        title: one line for `--list`.
        on: what the loss is computed from.

    Raises:
        ValueError: a method of this package has the name.
    """

    def register(function: Loss) -> Loss:
        options = LossOnLogits if on == "logits" else LossOnEmbeddings
        _register_options(options(loss=name))
        FUNCTIONS[name] = (title, function)
        return function

    return register


def register_method(
    name: str, title: str = "a method of one's own", options: type[MethodOptions] = MethodOptions
) -> Callable[[OwnMethod], OwnMethod]:
    """Register a subclass of `bcl_edu.methods.Method` as a decorator; `--method name` then trains it.

    Args:
        name: for `--method`. An own name may be registered again, which replaces it.
        title: one line for `--list`.
        options: a frozen dataclass, a subclass of `bcl_edu.recipe.MethodOptions`, whose fields become options of the
            command and stand in the record; in the method they are `recipe.method`.

    Raises:
        ValueError: a method of this package has the name.
    """

    def register(method: OwnMethod) -> OwnMethod:
        own = {
            "__doc__": options.__doc__,
            "__module__": options.__module__,
            "implementation": method,
            "name": property(lambda _: name),
            "title": property(lambda _: title),
        }
        _register_options(type(options.__name__, (options,), own)())
        return method

    return register


def _register_options(options: MethodOptions) -> None:
    if options.name in _OWN_METHODS:
        del METHODS[options.name]
    register_method_options(options)
    _OWN_METHODS.add(options.name)
