"""ImageNet-LT: 115,846 photographs of 1,000 classes, drawn from ImageNet by Liu et al. (CVPR 2019)."""

from bcl_edu.data.photographs import PhotographSet, PublishedList
from bcl_edu.data.published import ExpectedCounts, OfficialFile

# The copy of Kang et al. (ICLR 2020), whose paths have class folders for the validation images as well. Nobody
# publishes a hash of the lists, so their counts are checked.
_LISTS = "https://raw.githubusercontent.com/facebookresearch/classifier-balancing/main/data/ImageNet_LT"


def _list(split: str, megabytes: int, expected: ExpectedCounts) -> PublishedList:
    name = f"ImageNet_LT_{split}.txt"
    return PublishedList(name, OfficialFile(f"{_LISTS}/{name}", None, megabytes), expected)


# "test" is ImageNet's validation set, "validation" 20 images a class of its training set that are not in "train".
# Channel statistics: those of the authors' main.py, https://github.com/FlamieZhu/Balanced-Contrastive-Learning.
IMAGENET_LT = PhotographSet(
    name="imagenet-lt",
    splits={
        "train": _list("train", 5, ExpectedCounts(115_846, 1000, 1280, 5)),
        "validation": _list("val", 1, ExpectedCounts(20_000, 1000, 20, 20)),
        "test": _list("test", 3, ExpectedCounts(50_000, 1000, 50, 50)),
    },
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    image_roots=("", "ILSVRC/Data/CLS-LOC", "imagenet"),
    images_from="ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from https://image-net.org (an account is "
    "needed), unpacked",
)
