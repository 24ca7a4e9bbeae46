import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from bcl_edu.course.figures import style, text_alternative, view_columns

IMAGES = torch.tensor([10, 20], dtype=torch.uint8)[:, None, None, None].expand(2, 1, 4, 4)
VIEWS = torch.tensor([[11, 12, 13], [21, 22, 23]], dtype=torch.uint8)[:, :, None, None, None].expand(
    2, 3, 1, 4, 4
)


def sheet(figure: object) -> np.ndarray:
    encoded = base64.b64decode(figure.data[0].source.removeprefix("data:image/png;base64,"))  # type: ignore[attr-defined]
    return np.asarray(Image.open(io.BytesIO(encoded)))


def test_each_row_is_an_image_and_its_views() -> None:
    pixels = sheet(view_columns(IMAGES, VIEWS, ["owl", "cat"]))
    pitch = 6
    assert pixels[0, ::pitch, 0].tolist() == [10, 11, 12, 13]
    assert pixels[5, ::pitch, 0].tolist() == [20, 21, 22, 23]
    assert pixels[4, 0].tolist() == [0, 0, 0, 0]  # between the rows the page shows through


def test_rows_and_columns_are_named() -> None:
    figure = view_columns(IMAGES, VIEWS[:, :1], ["owl", "cat"])
    assert figure.layout.xaxis.ticktext == ("the image", "v1,<br>for the classifier")
    assert figure.layout.yaxis.ticktext == ("owl", "cat")
    assert "owl, cat: the image, v1" in text_alternative(figure)
    assert "One row an image" in style.caption(figure)


@pytest.mark.usefixtures("shapes_unchecked")
def test_views_of_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="and 2 names"):
        view_columns(IMAGES[:1], VIEWS, ["owl", "cat"])
