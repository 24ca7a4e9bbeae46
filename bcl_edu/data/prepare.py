"""Build once what every run would build or fetch anew: lists, lists made from annotations, decoded images."""

from pathlib import Path

from bcl_edu.data.cache import default_cache_dir
from bcl_edu.data.image_lists import write_list
from bcl_edu.data.photograph_sets import FILE_SETS, find_list, list_folders, require_published, writable
from bcl_edu.data.registry import default_data_dir, open_dataset, require_fitting_options, require_folder


def prepare_dataset(
    name: str, data_dir: Path | None = None, *, download: bool = False, cache_dir: Path | None = None
) -> list[str]:
    """Fetch and build what can be built, and say what was done.

    - of `imagenet-lt` and `inaturalist2018`: lists are fetched if that is allowed, and annotations in JSON become
      lists, which open in a moment; their images are never fetched;
    - of the others: the archive is fetched if that is allowed, and the decoded images are cached.

    Args:
        name: one of DATASET_NAMES.
        data_dir: its folder; by default as for `open_dataset`.
        download: fetch what is missing.
        cache_dir: as for `open_dataset`.

    Returns:
        One line for each thing that is ready.

    Raises:
        ValueError: something is missing or not what was published.
        ConnectionError: a download failed.
    """
    require_fitting_options(name)
    if name not in FILE_SETS:
        dataset = open_dataset(name, data_dir, download=download, cache_dir=cache_dir)
        return [f"{len(dataset.train):,} training and {len(dataset.test):,} test images are ready"]
    folder = data_dir or default_data_dir(name)
    if folder.exists() or (data_dir is not None and not download):
        require_folder(name, folder)
    cache = cache_dir or default_cache_dir()
    done = []
    for split, listed in FILE_SETS[name].splits.items():
        try:
            path = find_list(name, split, folder, cache, download=download)
        except ValueError:
            if download or split in ("train", "test"):
                raise
            continue  # nobody needs it
        if path.name != listed.list_name:
            images = listed.read(path)
            require_published(listed, path, images)
            path = writable(path.parent, list_folders(name, folder, cache)[-1]) / listed.list_name
            write_list(path, images)
        done.append(f"list of {split} images: {path}")
    return done
