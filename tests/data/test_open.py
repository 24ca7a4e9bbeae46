import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bcl_edu.data import DATASET_NAMES, default_data_dir, open_dataset
from bcl_edu.data.cache import default_cache_dir
from tests.data.small_imagenet import own_lists, small_imagenet


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'cifar'; expected .*digits, .*, folder"):
        open_dataset("cifar")


@pytest.mark.parametrize("name", ["digits", "fashion-mnist", "cifar10", "cifar100"])
def test_image_size_is_for_images_that_have_none_of_their_own(name: str) -> None:
    with pytest.raises(ValueError, match=f"image_size is 16, but {name} has a fixed size"):
        open_dataset(name, image_size=16)


def test_folder_opens_a_tree_of_ones_own(tree: Path) -> None:
    data = open_dataset("folder", str(tree), cache_dir=str(tree.parent / "chosen"), image_size=2)
    assert data.name == "folder"
    assert data.train.images.shape == (8, 3, 2, 2)
    assert len(list((tree.parent / "chosen").glob("folder-*.npz"))) == 1


def test_the_cache_is_where_the_environment_says(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BCL_EDU_CACHE", str(tree.parent / "from-environment"))
    open_dataset("folder", tree, image_size=4)
    assert len(list((tree.parent / "from-environment").iterdir())) == 1


def test_data_are_looked_for_under_the_current_folder_or_where_the_environment_says(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert default_data_dir("folder") == Path("data/folder")
    (tree.parent / "folder").symlink_to(tree)
    monkeypatch.setenv("BCL_EDU_DATA", str(tree.parent))
    assert default_data_dir("folder") == tree.parent / "folder"
    assert open_dataset("folder").class_names == ("cat", "dog")


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cifar100.zip").write_bytes(b"")
    with pytest.raises(ValueError, match=r"data_dir .*cifar100\.zip; expected the folder"):
        open_dataset("cifar100", tmp_path / "cifar100.zip")


def test_import_reads_nothing_and_leaves_scikit_learn_alone() -> None:
    code = "import sys, bcl_edu.data; sys.exit('sklearn' in sys.modules or 'torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", [name for name in DATASET_NAMES if name != "digits"])
def test_a_named_folder_that_does_not_exist_is_said_to_be_missing(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"folder typo in {tmp_path}; name"):
        open_dataset(name, "typo")


def test_a_folder_to_download_to_need_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(official: object, folder: Path) -> Path:
        raise ConnectionError(f"nothing came into {folder}")

    monkeypatch.setattr("bcl_edu.data.cifar.fetch", no_network)
    with pytest.raises(ConnectionError, match="nothing came into new"):
        open_dataset("cifar10", "new", download=True)


@pytest.mark.parametrize("variable", ["BCL_EDU_CACHE", "BCL_EDU_DATA"])
def test_a_tilde_is_the_home_folder_in_the_environment_too(
    variable: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tree.parent))
    monkeypatch.setenv(variable, "~/there")
    tree.rename(tree.parent / "folder")
    data = open_dataset("folder", "~/folder", image_size=4)
    assert len(data.train) == 8
    assert default_cache_dir() == tree.parent / ("there" if variable == "BCL_EDU_CACHE" else "user-cache")
    assert default_data_dir("cifar10").is_absolute() == (variable == "BCL_EDU_DATA")
    assert not Path("~").exists()


def test_lists_and_the_cache_may_begin_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = small_imagenet(tmp_path / "images")
    own_lists(root)
    monkeypatch.setenv("HOME", str(root))
    lists = {"train": "~/train.txt", "test": "~/test.txt"}
    data = open_dataset("lists", "~", lists=lists, cache_dir="~/cache", image_size=16)
    assert data.train.image_shape == (3, 16, 16)
    assert list((root / "cache").glob("lists-*.npz"))


def test_a_user_without_a_home_gets_a_cache_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for variable in ("BCL_EDU_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert default_cache_dir().parent == Path(tempfile.gettempdir())
