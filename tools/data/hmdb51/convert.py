"""Write MMAction2's annotation lists of HMDB51 from the published folders, and check the videos."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from spact_mm.datasets.annotation_files import write_video_list
from spact_mm.datasets.conversion import (
    ConversionReport,
    add_splits,
    list_files,
    make_parser,
    read_lines,
    run_converter,
)

PAGE = 'https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/'
PA_PAGE = 'https://github.com/VITA-Group/PA-HMDB51'
NUM_CLASSES = 51
NUM_VIDEOS = 6766
NUM_PA_VIDEOS = 515
SPLITS = (1, 2, 3)
# Published length of the train and the test list of every split: 70 and 30 videos per class.
SPLIT_SIZES = {'train': 3570, 'val': 1530}
_SUBSETS = {'1': 'train', '2': 'val'}


def read_classes(annotations: Path) -> dict[str, int]:
    """Read the classes from the names of the split files.

    Args:
        annotations: The folder ``testTrainMulti_7030_splits``.

    Returns:
        dict[str, int]: The class index by class folder, in alphabetical order as in MMAction2.

    Raises:
        FileNotFoundError: If the folder holds no ``<class>_test_split1.txt``.
    """
    ending = '_test_split1.txt'
    names = sorted(path.name[: -len(ending)] for path in annotations.glob(f'*{ending}'))
    if not names:
        raise FileNotFoundError(f'{annotations} holds no <class>{ending}; {_remedy(annotations)}.')
    return {name: index for index, name in enumerate(names)}


def read_split(annotations: Path, split: int, classes: Sequence[str]) -> dict[str, str | None]:
    """Read the files of one split.

    Args:
        annotations: The folder ``testTrainMulti_7030_splits``.
        split: 1, 2 or 3.
        classes: The class folders.

    Returns:
        dict[str, str | None]: ``'train'``, ``'val'`` or, for a video that the split does not use,
        None, by video as ``class/name.avi``.

    Raises:
        FileNotFoundError: If the file of a class is absent.
        ValueError: If a line is not ``<video>.avi`` and 0, 1 or 2.
    """
    videos = {}
    for name in classes:
        path = annotations / f'{name}_test_split{split}.txt'
        for number, line in enumerate(read_lines(path, _remedy(annotations)), start=1):
            video, _, use = line.rpartition(' ')
            if not video or use not in ('0', *_SUBSETS):
                raise ValueError(
                    f'Line {number} of {path} is {line!r} instead of "<video>.avi 0|1|2"; '
                    f'{_remedy(annotations)}.'
                )
            videos[f'{name}/{video.strip()}'] = _SUBSETS.get(use)
    return videos


def read_pa_videos(folder: Path) -> list[str]:
    """Read the names of the videos that PA-HMDB51 annotates.

    Args:
        folder: The folder ``PrivacyAttributes`` of PA-HMDB51, with a JSON file for each class.

    Returns:
        list[str]: The videos as ``class/name.avi``.

    Raises:
        FileNotFoundError: If the folder holds no JSON file.
        ValueError: If one is damaged.
    """
    remedy = f'download PA-HMDB51 from {PA_PAGE} and pass its folder PrivacyAttributes'
    videos = []
    for path in sorted(folder.glob('*.json')):
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
            videos += [f'{path.stem}/{video}' for video in content.keys()]
        except (ValueError, AttributeError) as error:
            raise ValueError(f'{path} is not an annotation of PA-HMDB51; {remedy}.') from error
    if not videos:
        raise FileNotFoundError(
            f'{folder} holds no annotation of PA-HMDB51; {remedy} by --exclude-pa-hmdb51.'
        )
    return videos


def convert(args: argparse.Namespace) -> int:
    """Check the data set and write the lists; return 0 if it is complete, else 1.

    Raises:
        FileNotFoundError: If a folder or list is absent, or the folder holds none of the videos.
        ValueError: If a list is damaged, or PA-HMDB51 has a video that HMDB51 lacks.
    """
    root, annotations = args.videos, args.annotations
    if not root.is_dir():
        raise FileNotFoundError(
            f'The video folder {root} does not exist; download hmdb51_org.rar from {PAGE}, '
            'unpack it and the archive of each class in it, and pass their folder by --videos.'
        )
    classes = read_classes(annotations)
    splits = {split: read_split(annotations, split, classes) for split in args.splits}
    listed = sorted({video for videos in splits.values() for video in videos})
    lists = {
        f'hmdb51_{subset}_split_{split}_videos.txt': (
            [video for video, use in videos.items() if use == subset],
            SPLIT_SIZES[subset],
        )
        for split, videos in splits.items()
        for subset in SPLIT_SIZES
    }
    if args.exclude_pa_hmdb51 is not None:
        lists.update(_pa_lists(args.exclude_pa_hmdb51, listed))

    report = ConversionReport('HMDB51', args.check)
    on_disk = set(list_files(root, ['.avi']))
    report.unlisted = sorted(on_disk.difference(listed))
    files = {video: video if video in on_disk else None for video in listed}
    remedy = (
        'unpack the archive of each class too and pass the folder that holds one folder a class '
        'by --videos'
    )
    usable = report.find_videos(root, files, args.workers, remedy)

    report.add_count('classes', len(classes), NUM_CLASSES, len(classes))
    report.add_count('videos', len(listed), NUM_VIDEOS, len(usable))
    for name, (videos, num_published) in lists.items():
        entries = [(v, classes[v.split('/')[0]]) for v in videos if v in usable]
        written = write_video_list(args.out / name, entries)
        report.add_count(name, len(videos), num_published, written)
    return report.finish(args.out / 'hmdb51_report.json', args.allow_missing)


def _pa_lists(folder: Path, listed: Sequence[str]) -> dict[str, tuple[list[str], int]]:
    """Return the videos, and their published number, of the two lists for PA-HMDB51."""
    pa_videos = read_pa_videos(folder)
    unknown = sorted(set(pa_videos).difference(listed))
    if unknown:
        raise ValueError(
            f'{len(unknown)} videos of {folder} are not in the lists of HMDB51, for example '
            f'{unknown[0]}; download PA-HMDB51 again from {PA_PAGE}.'
        )
    rest = [video for video in listed if video not in set(pa_videos)]
    return {
        'hmdb51_train_without_pa.txt': (rest, NUM_VIDEOS - NUM_PA_VIDEOS),
        'pa_hmdb51_videos.txt': (pa_videos, NUM_PA_VIDEOS),
    }


def _remedy(annotations: Path) -> str:
    return (
        f'download test_train_splits.rar from {PAGE} and pass its folder '
        f'testTrainMulti_7030_splits by --annotations (now {annotations})'
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the converter and return its exit code."""
    parser = make_parser(
        __doc__,
        videos=('data/hmdb51/videos', 'the folder that holds one folder a class'),
        annotations=('data/hmdb51/annotations', 'the folder testTrainMulti_7030_splits'),
        out=('data/hmdb51', 'where the lists go'),
    )
    add_splits(parser, SPLITS)
    parser.add_argument(
        '--exclude-pa-hmdb51',
        type=Path,
        metavar='FOLDER',
        help='the folder PrivacyAttributes of PA-HMDB51; also write hmdb51_train_without_pa.txt, '
        "all videos but PA-HMDB51's, and pa_hmdb51_videos.txt, those of PA-HMDB51",
    )
    return run_converter(convert, parser, argv)


if __name__ == '__main__':
    sys.exit(main())
