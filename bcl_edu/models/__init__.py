"""Networks of the paper: backbones, classifiers, heads and the two-branch model that joins them."""

from bcl_edu.models.backbones import (
    BACKBONE_NAMES,
    Backbone,
    DigitsNet,
    ResNetCifar,
    ResNetImageNet,
    build_backbone,
    digits_net,
    parameter_count,
    resnet32,
    resnet50,
    resnext50,
)
from bcl_edu.models.heads import (
    CLASSIFIER_NAMES,
    Classifier,
    CosineClassifier,
    LinearClassifier,
    ProjectionHead,
    PrototypeHead,
    build_classifier,
)
from bcl_edu.models.two_branch_model import TwoBranchModel, TwoBranchOutput

__all__ = [
    "BACKBONE_NAMES",
    "CLASSIFIER_NAMES",
    "Backbone",
    "Classifier",
    "CosineClassifier",
    "DigitsNet",
    "LinearClassifier",
    "ProjectionHead",
    "PrototypeHead",
    "ResNetCifar",
    "ResNetImageNet",
    "TwoBranchModel",
    "TwoBranchOutput",
    "build_backbone",
    "build_classifier",
    "digits_net",
    "parameter_count",
    "resnet32",
    "resnet50",
    "resnext50",
]
