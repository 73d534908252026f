"""The data sets below wrappers."""

from collections.abc import Iterator

from torch.utils.data import Dataset

#: Keys of the file in annotations of MMAction2 and MMPretrain.
FILE_KEYS = ('filename', 'img_path')


def leaves(dataset: Dataset) -> Iterator[Dataset]:
    """Yield the data sets below wrappers."""
    children = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    for child in children:
        if child is None:
            yield dataset
        else:
            yield from leaves(child)


def file_of(info: dict) -> str | None:
    """Return the file of an annotation of MMAction2 or MMPretrain."""
    return next((info[key] for key in (*FILE_KEYS, 'frame_dir') if key in info), None)
