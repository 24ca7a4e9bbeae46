import os
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from bcl_edu.data import decoding
from bcl_edu.data.decoding import decode_image, image_dimensions, open_picture, resize_center_crop

RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 10  # 3 wide, 2 high
GREY = RGB[:, :, 0]


def saved(folder: Path, image: Image.Image, suffix: str = ".png", **options: object) -> Path:
    path = folder / f"image{suffix}"
    image.save(path, **options)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "I;16"])
def test_a_picture_is_turned_upright_on_demand_only(tmp_path: Path, orientation: int, mode: str) -> None:
    stored = (
        Image.fromarray(GREY.astype(np.uint16) * 257)
        if mode == "I;16"
        else Image.fromarray(RGB).convert(mode)
    )
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored.save(path := tmp_path / "photograph.png", exif=exif)
    plain = Image.fromarray(GREY) if mode == "I;16" else stored.convert("L" if mode == "L" else "RGB")
    plain.getexif()[ExifTags.Base.Orientation] = orientation
    turned = ImageOps.exif_transpose(plain).convert("RGB")
    np.testing.assert_array_equal(open_picture(path, upright=True), turned)
    np.testing.assert_array_equal(open_picture(path), plain.convert("RGB"))
    assert decode_image(path, upright=True).shape[1:] == np.asarray(turned).shape[:2]


def test_damaged_exif_data_say_nothing(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(path := tmp_path / "photograph.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff")
    np.testing.assert_array_equal(open_picture(path, upright=True), RGB)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.filterwarnings("ignore")
def test_whatever_byte_of_the_exif_data_is_changed_the_picture_is_read(suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.XResolution] = 72.0
    path = saved(tmp_path, Image.fromarray(RGB), suffix, exif=exif)
    shapes = {(2, 3, 3), (3, 2, 3)}
    assert np.asarray(open_picture(path, upright=True)).shape == (3, 2, 3)
    if suffix == ".tif":  # its header is its EXIF data, without which there is no picture
        return
    content = exif.tobytes()
    for position in range(6, len(content)):
        for value in (0, 1, 255):
            changed = content[:position] + bytes([value]) + content[position + 1 :]
            for damaged in (changed, content[:position]):
                picture = open_picture(
                    saved(tmp_path, Image.fromarray(RGB), suffix, exif=damaged), upright=True
                )
                assert np.asarray(picture).shape in shapes


def test_colour_is_channel_first_rgb(tmp_path: Path) -> None:
    decoded = decode_image(saved(tmp_path, Image.fromarray(RGB)))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, RGB.transpose(2, 0, 1))


def test_grey_has_one_channel(tmp_path: Path) -> None:
    np.testing.assert_array_equal(decode_image(saved(tmp_path, Image.fromarray(GREY))), GREY[None])


def test_bilevel_becomes_0_and_255(tmp_path: Path) -> None:
    bits = Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8)).convert("1")
    assert decode_image(saved(tmp_path, bits)).tolist() == [[[0, 255], [255, 0]]]


def test_a_palette_becomes_its_colours(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putdata([1, 0])
    assert decode_image(saved(tmp_path, palette))[:, 0].T.tolist() == [[40, 50, 60], [10, 20, 30]]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_composited_over_black(tmp_path: Path, mode: str) -> None:
    colour = {"RGBA": (200, 100, 50), "LA": (200,)}[mode]
    image = Image.new(mode, (3, 1))
    for x, alpha in enumerate((255, 51, 0)):  # opaque, a fifth, clear
        image.putpixel((x, 0), (*colour, alpha))
    decoded = decode_image(saved(tmp_path, image))
    expected = [[value, value // 5, 0] for value in colour]
    assert decoded[:, 0].tolist() == expected


def test_a_transparent_palette_entry_is_black(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putdata([1, 0])
    decoded = decode_image(saved(tmp_path, palette, transparency=1))
    assert decoded[:, 0].T.tolist() == [[0, 0, 0], [10, 20, 30]]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_is_scaled(tmp_path: Path, suffix: str) -> None:
    deep = Image.fromarray(np.array([[0, 128, 129, 257 * 100, 65535]], dtype=np.uint16))
    assert decode_image(saved(tmp_path, deep, suffix)).tolist() == [[[0, 0, 1, 100, 255]]]  # 257 steps a step


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    white = Image.new("CMYK", (2, 1), (0, 0, 0, 0))
    assert decode_image(saved(tmp_path, white, ".tif")).tolist() == [[[255, 255]]] * 3


def test_the_first_frame_of_an_animation_is_read(tmp_path: Path) -> None:
    frames = [Image.new("L", (2, 2), value) for value in (0, 255)]
    path = saved(tmp_path, frames[0], ".gif", save_all=True, append_images=frames[1:])
    assert decode_image(path).max() == 0


def test_resizing_keeps_the_centre_of_the_long_side(tmp_path: Path) -> None:
    wide = np.zeros((4, 12, 3), dtype=np.uint8)
    wide[:, 4:8] = 255  # the middle third is white
    path = saved(tmp_path, Image.fromarray(wide))
    assert decode_image(path, image_size=4).min() == 255
    assert decode_image(path, image_size=8).shape == (3, 8, 8)
    high = tmp_path / "high.png"
    Image.fromarray(wide.transpose(1, 0, 2)).save(high)
    assert decode_image(high, image_size=4).min() == 255


@pytest.mark.parametrize(
    "content", [b"", b"not an image", b"\x89PNG\r\n\x1a\nbroken"], ids=["empty", "text", "png"]
)
def test_what_is_no_image_is_refused_by_path(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot read the image .*image\.png"):
        decode_image(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
def test_half_a_file_is_refused(tmp_path: Path, suffix: str) -> None:
    noise = np.random.RandomState(0).randint(0, 256, (64, 64, 3)).astype(np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), suffix)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="cannot read the image"):
        decode_image(path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 2), dtype=np.float32), "floating-point"),
        (np.full((2, 2), 70_000, dtype=np.int32), r"70000\.\.70000 do not fit 16 bits"),
        (np.full((2, 2), -1, dtype=np.int32), r"-1\.\.-1 do not fit 16 bits"),
    ],
    ids=["float", "too large", "negative"],
)
def test_grey_of_an_unknown_range_is_refused(tmp_path: Path, array: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_image(saved(tmp_path, Image.fromarray(array), ".tif"))


def test_only_raster_formats_are_opened_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "image.jpg"
    Image.fromarray(RGB).save(path, "EPS")  # for which Pillow would start another program
    with pytest.raises(ValueError, match=f"{path}: it is none of JPEG, PNG"):
        decode_image(path)


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "image.png")
    for read in (decode_image, image_dimensions):
        with pytest.raises(ValueError, match="it is a pipe"):
            read(tmp_path / "image.png")


def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png: .*circle"):
        decode_image(tmp_path / "a.png")


def test_a_device_is_refused() -> None:
    with pytest.raises(ValueError, match="it is a device"):
        decode_image(Path("/dev/zero"))


def test_a_picture_beyond_the_limit_is_refused_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "LARGEST_PIXELS", 5)
    path = saved(tmp_path, Image.fromarray(RGB))
    with pytest.raises(ValueError, match=f"{path}.*save a smaller copy"):
        decode_image(path)


def test_the_centre_of_a_very_long_picture_is_cut_out_before_it_is_resized(tmp_path: Path) -> None:
    long = np.zeros((1, 60_000, 3), dtype=np.uint8)
    long[:, 29_999:30_001] = 255
    assert decode_image(saved(tmp_path, Image.fromarray(long)), image_size=64).shape == (3, 64, 64)
    assert np.asarray(resize_center_crop(Image.fromarray(long), 224)).max() == 255
