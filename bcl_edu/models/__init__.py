"""Networks of the paper: backbones, classifiers, heads and the two-branch model that joins them."""

from bcl_edu.models.backbones import BACKBONE_NAMES, Backbone, build_backbone
from bcl_edu.models.classifiers import (
    CLASSIFIER_NAMES,
    Classifier,
    CosineClassifier,
    LinearClassifier,
    build_classifier,
)
from bcl_edu.models.digits_net import DigitsNet, digits_net
from bcl_edu.models.heads import ProjectionHead, PrototypeHead
from bcl_edu.models.parameter_count import parameter_count
from bcl_edu.models.resnet_cifar import ResNetCifar, resnet32
from bcl_edu.models.resnet_imagenet import ResNetImageNet, resnet50, resnext50
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
