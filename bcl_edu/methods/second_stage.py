"""The stage in which a part of a trained network learns alone."""

from __future__ import annotations

from bcl_edu.augment import ViewPolicy
from bcl_edu.methods.samplers import ByClass, ClassAware, Sampler, Shuffled
from bcl_edu.methods.stage import Schedule, Stage
from bcl_edu.recipe import Recipe
from bcl_edu.rows.second_stage_options import SecondStage

NAME = "second"


def second_stage(recipe: Recipe, options: SecondStage, views: ViewPolicy, learns: tuple[str, ...]) -> Stage:
    """A stage in which only what `learns` names learns; an epoch has as many full batches as the training set.

    Args:
        recipe: momentum, Nesterov's form and weight decay are those of the first stage.
        options: epochs, rate, batch size, sampler and the mode of batch normalisation.
        views: how the views of an image are made.
        learns: beginnings of the names of the parameters that learn.

    Source: Kang et al. (ICLR 2020), their code.
    """
    samplers: dict[str, Sampler] = {
        "class-aware": ClassAware(options.images_per_class),
        "class-balanced": ByClass(),
        "shuffled": Shuffled(),
    }
    return Stage(
        name=NAME,
        epochs=options.second_epochs,
        schedule=Schedule(
            learning_rate=options.second_learning_rate,
            epochs=options.second_epochs,
            cosine=True,
            per_epoch=True,
        ),
        views=views,
        batch_size=options.second_batch_size or recipe.batch_size,
        sampler=samplers[options.second_sampler],
        drop_last=True,
        learns=learns,
        frozen_batch_norm=options.frozen_batch_norm,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )
