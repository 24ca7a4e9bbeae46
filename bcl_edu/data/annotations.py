"""iNaturalist's annotations: image files and their classes in JSON, as in the COCO data set."""

from pathlib import Path
from typing import Any

from bcl_edu.counting import counted
from bcl_edu.data.image_lists import ImageList, image_list, inside
from bcl_edu.data.published import read_member
from bcl_edu.files import LARGEST_TEXT, parse_json, read_json


def read_annotations(path: Path) -> ImageList:
    """Read annotations: a JSON file, or the .tar.gz file that is downloaded.

    The order is that of "images", the label is the "category_id" of the image's one annotation, found by
    "image_id". So the list is the one in common use as `iNaturalist18_train.txt` (Kang et al., ICLR 2020, whose
    script pairs images and annotations by position, where they agree).

    Raises:
        ValueError: the file is missing, damaged or not of this form, or an image has not exactly one annotation.
    """
    if path.name.endswith(".tar.gz"):
        text = read_member(path, path.name.removesuffix(".tar.gz"), LARGEST_TEXT)
        content = parse_json(text, str(path))
    else:
        content = read_json(path)
    try:
        annotations = [
            (_id(a["image_id"]), _whole(a["category_id"])) for a in _objects(content, "annotations")
        ]
        known = {_whole(category["id"]) for category in _objects(content, "categories")}
        images = [(_text(image["file_name"]), _id(image["id"])) for image in _objects(content, "images")]
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not of the form of iNaturalist's annotations ('images' with 'id' and 'file_name', "
            f"'annotations' with 'image_id' and 'category_id', 'categories' with 'id'): {error!r}"
        ) from error
    categories = dict(annotations)
    lacking = [name for name, number in images if number not in categories]
    if lacking or not len(images) == len(categories) == len(annotations):
        example = f"; {lacking[0]} has none" if lacking else ""
        raise ValueError(
            f"{path} has {counted(len(images), 'image')} and {counted(len(annotations), 'annotation')} of "
            f"{counted(len(categories), 'image')}; "
            f"expected one annotation for each image{example}"
        )
    unknown = set(categories.values()) - known
    if unknown:
        raise ValueError(f"{path}: category {min(unknown)} of an annotation is not among the 'categories'")
    return image_list(
        path, [inside(name, str(path)) for name, _ in images], [categories[number] for _, number in images]
    )


def _objects(content: Any, name: str) -> list[dict[str, Any]]:
    objects = content[name]
    if not isinstance(objects, list) or not all(isinstance(one, dict) for one in objects):
        raise TypeError(f"{name!r} is not a list of objects")
    return objects


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{str(value)[:40]} is not a whole number")
    return value


def _id(value: Any) -> int | str:
    if type(value) not in (int, str):
        raise TypeError(f"{str(value)[:40]} is not the id of an image")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:40]} is not a file name")
    return value
