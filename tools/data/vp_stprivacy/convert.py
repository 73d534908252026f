"""Write the annotation files of VP-HMDB51 and VP-UCF101 from the published pickles."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from spact_mm.datasets.annotation_files import write_attribute_file
from spact_mm.datasets.integrity import ConversionReport, read_lines, run_converter
from spact_mm.datasets.restricted_pickle import load_arrays

PAGE = 'https://github.com/ming1993li/stprivacy'
# The columns of the pickles.
ATTRIBUTES = ('skin_color', 'face', 'gender', 'nudity', 'relationship')
NUM_VIDEOS = {'hmdb51': 6766, 'ucf101': 13320}
SPLIT_SIZES = {
    'hmdb51': {1: (3570, 1530), 2: (3570, 1530), 3: (3570, 1530)},
    'ucf101': {1: (9537, 3783), 2: (9586, 3734), 3: (9624, 3696)},
}


def read_labels(path: Path) -> dict[str, list[str]]:
    """Read a published pickle, by a restricted unpickler.

    Args:
        path: ``<dataset>_privacy_attribute_label.pickle``.

    Returns:
        dict[str, list[str]]: The attributes present, those whose value is not 0, by video as
        ``class/name.avi``.

    Raises:
        FileNotFoundError: If the file is absent.
        ValueError: If it holds anything but five integers a video; nothing of it is run.
    """
    labels = {}
    for name, values in load_arrays(path).items():
        if values.size != len(ATTRIBUTES) or values.dtype.kind not in 'iu' or '/' not in name:
            raise ValueError(
                f'{path} gives {name} an array of {values.dtype} of the shape {values.shape} '
                f'instead of {len(ATTRIBUTES)} integers; download it again from {PAGE}.'
            )
        present = np.flatnonzero(values.reshape(-1))
        # The pickles say .mp4, the published videos are .avi.
        labels[f'{name.rpartition(".")[0]}.avi'] = [ATTRIBUTES[index] for index in present]
    return labels


def convert(args: argparse.Namespace) -> int:
    """Write the annotation files.

    Args:
        args: The options of :func:`parse_args`.

    Returns:
        int: The exit code, 0 where every listed video has labels and the counts are the published
        ones, else 1.

    Raises:
        FileNotFoundError: If a pickle or a list is absent.
        ValueError: If one is damaged.
    """
    report = ConversionReport('VP-' + ', VP-'.join(map(str.upper, args.datasets)), 'none')
    files = {}
    for dataset in args.datasets:
        path = Path(args.labels, f'{dataset}_privacy_attribute_label.pickle')
        labels = read_labels(path)
        files[f'vp_{dataset}.json'] = labels, len(labels), NUM_VIDEOS[dataset]
        # Copies of UCF101 differ in the case of some names.
        any_case = {video.lower(): present for video, present in labels.items()}
        for split in args.splits:
            for subset, size in zip(('train', 'val'), SPLIT_SIZES[dataset][split], strict=True):
                videos = _read_list(Path(args.lists), dataset, subset, split)
                report.missing += [v for v in videos if v.lower() not in any_case]
                files[f'vp_{dataset}_{subset}_split_{split}.json'] = (
                    {v: any_case[v.lower()] for v in videos if v.lower() in any_case},
                    len(videos),
                    size,
                )
    for name, (labels, num_listed, num_published) in files.items():
        dataset = 'VP-' + name.removesuffix('.json').split('_')[1].upper()
        written = write_attribute_file(
            Path(args.out, name), ATTRIBUTES, labels.items(), dataset=dataset
        )
        report.add_count(name, num_listed, num_published, written)
    for name in files:
        print(f'{name}: {_positives(files[name][0])}')
    return report.finish(Path(args.out, 'vp_stprivacy_report.json'), args.allow_missing)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--labels',
        default='data/vp_stprivacy',
        help='the folder of <dataset>_privacy_attribute_label.pickle (default: %(default)s)',
    )
    parser.add_argument(
        '--lists',
        default='data',
        help='the folder of <dataset>/<dataset>_train_split_1_videos.txt and so on, which the '
        'converters of UCF101 and HMDB51 write (default: %(default)s)',
    )
    parser.add_argument(
        '--out', default='data/vp_stprivacy', help='where the files go (default: %(default)s)'
    )
    parser.add_argument(
        '--datasets',
        nargs='+',
        choices=tuple(NUM_VIDEOS),
        default=tuple(NUM_VIDEOS),
        help='the sets to convert (default: both)',
    )
    parser.add_argument(
        '--splits',
        type=int,
        nargs='*',
        choices=(1, 2, 3),
        default=(1,),
        help='the splits to write beside the file of all videos (default: 1)',
    )
    parser.add_argument(
        '--allow-missing',
        action='store_true',
        help='exit with 0 although labels are missing or a count is not the published one',
    )
    return parser.parse_args(argv)


def _read_list(folder: Path, dataset: str, subset: str, split: int) -> list[str]:
    path = folder / dataset / f'{dataset}_{subset}_split_{split}_videos.txt'
    remedy = f'write it by tools/data/{dataset}/convert.py, or pass no number by --splits'
    return [line.split(' ')[0] for line in read_lines(path, remedy)]


def _positives(labels: Mapping[str, Sequence[str]]) -> str:
    counts = {a: sum(a in present for present in labels.values()) for a in ATTRIBUTES}
    return ', '.join(f'{attribute} {count:,}' for attribute, count in counts.items())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the converter and return its exit code."""
    return run_converter(convert, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
