"""Replacing samples whose files cannot be read."""

import os

from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from ..media.unreadable import check_regular
from .leaves import FILE_KEYS, file_of
from .sample_errors import describe_reason, describe_transform, find_transform, is_unreadable
from .sample_seeds import SampleSeeds

#: Attempts to replace a broken file before giving up.
_MAX_ATTEMPTS = 10


def read_or_replace(dataset: Dataset, idx: int, seeds: SampleSeeds, on_bad: str):
    """Return a sample; if it cannot be read, return another one with a report.

    Args:
        dataset (Dataset): The data set.
        idx (int): Index of the sample, from 0.
        seeds (SampleSeeds): Seeds of the pipeline and of the choice of a replacement.
        on_bad (str): ``'skip'`` replaces an unreadable sample; ``'raise'`` raises an error.

    Raises:
        RuntimeError: If a file cannot be read and ``on_bad`` is ``'raise'``, or if
            :data:`_MAX_ATTEMPTS` in a row cannot, or a transform fails.
    """
    bad_files = []
    for attempt in range(_MAX_ATTEMPTS):
        tried = _substitute(idx, len(dataset), seeds, attempt)
        try:
            with seeds.seeded(idx, attempt):
                sample = _make_sample(dataset, tried)
        except Exception as error:
            path = file_of(dataset.get_data_info(tried)) or f'sample {tried}'
            reason, transform = describe_reason(error), find_transform(error)
            if not is_unreadable(error, transform):
                raise RuntimeError(
                    f'{describe_transform(transform)} fails on sample {tried}, {path} '
                    f'({reason}); correct the pipeline or the annotations.'
                ) from error
            if on_bad == 'raise':
                raise RuntimeError(
                    f'Sample {tried}, {path}, cannot be read ({reason}); repair it or take it '
                    'off the list, as evaluation replaces no sample.'
                ) from error
            bad_files.append((path, reason))
        else:
            return _attach(sample, bad_files)
    raise RuntimeError(
        f'{_MAX_ATTEMPTS} files in a row cannot be read, the first being {bad_files[0][0]} '
        f'({bad_files[0][1]}); check the data set and the pipeline.'
    )


def _make_sample(dataset: Dataset, idx: int) -> dict:
    info = getattr(dataset, 'get_data_info', lambda _: {})(idx)
    path = next((info[key] for key in FILE_KEYS if key in info), None)
    # MMAction2's and MMCV's loaders would wait forever for the writer of a pipe.
    if path and '://' not in path and os.path.lexists(path):
        check_regular(path)
    return dataset[idx]


def _substitute(idx: int, size: int, seeds: SampleSeeds, attempt: int) -> int:
    """Return ``idx`` at the first attempt, then other indices."""
    others = size - 1
    if attempt == 0 or others == 0:
        return idx
    draw = int(seeds.entropy(idx, attempt).generate_state(1)[0])
    return (idx + 1 + draw % others) % size


def _attach(sample: dict, bad_files: list[tuple[str, str]]) -> dict:
    """Add the report on replaced files to the sample's metainfo."""
    if bad_files:
        data_sample = sample.get('data_samples') if isinstance(sample, dict) else None
        if not isinstance(data_sample, BaseDataElement):
            raise TypeError(
                f'{bad_files[0][0]} cannot be read ({bad_files[0][1]}), and the sample in its '
                'place cannot say so; end the pipeline with PackActionInputs or '
                'mmpretrain.PackInputs.'
            )
        data_sample.set_metainfo(dict(bad_files=bad_files))
    return sample
