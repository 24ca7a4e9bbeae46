"""iNaturalist 2018: 437,513 photographs of 8,142 species, long-tailed by nature."""

from bcl_edu.data.photographs import PhotographSet, PublishedList
from bcl_edu.data.published import ExpectedCounts, OfficialFile

# MD5, counts and URLs: https://github.com/visipedia/inat_comp/tree/master/2018
_SITE = "https://ml-inat-competition-datasets.s3.amazonaws.com/2018"


def _list(split: str, md5: str, expected: ExpectedCounts) -> PublishedList:
    annotations = OfficialFile(f"{_SITE}/{split}2018.json.tar.gz", md5, 26)
    return PublishedList(f"iNaturalist18_{split}.txt", annotations, expected)


# The test labels were never published: "test" is the validation set, as in the paper.
# Channel statistics: those of the authors' main.py, https://github.com/FlamieZhu/Balanced-Contrastive-Learning.
INATURALIST_2018 = PhotographSet(
    name="inaturalist2018",
    splits={
        "train": _list("train", "bfa29d89d629cbf04d826a720c0a68b0", ExpectedCounts(437_513, 8142, 1000, 2)),
        "test": _list("val", "f2ed8bfe3e9901cdefceb4e53cd3775d", ExpectedCounts(24_426, 8142, 3, 3)),
    },
    mean=(0.466, 0.471, 0.380),
    std=(0.195, 0.194, 0.192),
    image_roots=("",),
    images_from=f"{_SITE}/train_val2018.tar.gz (120 GB, MD5 b1c6952ce38f31868cc50ea72d066cc3), unpacked",
)
