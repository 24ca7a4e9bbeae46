"""Training methods, one file each, behind the protocol in `protocol`; their options stand in `bcl_edu.rows`."""

from bcl_edu.methods.protocol import Batch, Clock, Gather, Method, Prediction, build_method
from bcl_edu.methods.samplers import ByClass, ClassAware, Sampler, Shuffled
from bcl_edu.methods.stage import ParameterGroup, Schedule, Stage, Stream

__all__ = [
    "Batch",
    "ByClass",
    "ClassAware",
    "Clock",
    "Gather",
    "Method",
    "ParameterGroup",
    "Prediction",
    "Sampler",
    "Schedule",
    "Shuffled",
    "Stage",
    "Stream",
    "build_method",
]
