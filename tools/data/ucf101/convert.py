"""Write MMAction2's annotation lists of UCF101 from the published folders, and check the videos."""

import argparse
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

PAGE = 'https://www.crcv.ucf.edu/data/UCF101.php'
NUM_CLASSES = 101
NUM_VIDEOS = 13320
# Published length of (trainlist, testlist) of each split.
SPLIT_SIZES = {1: (9537, 3783), 2: (9586, 3734), 3: (9624, 3696)}


def read_classes(annotations: Path) -> dict[str, int]:
    """Read ``classInd.txt``.

    Args:
        annotations: The folder ``ucfTrainTestlist``.

    Returns:
        dict[str, int]: The 0-based class index by class folder.

    Raises:
        FileNotFoundError: If the file is absent.
        ValueError: If the file is no list of the indices 1, 2, ... with a name each.
    """
    path = annotations / 'classInd.txt'
    classes = {}
    for number, line in enumerate(read_lines(path, _remedy(annotations)), start=1):
        fields = line.split()
        if len(fields) != 2 or fields[0] != str(number):
            raise ValueError(
                f'Line {number} of {path} is {line!r} instead of "{number} <Class>"; '
                f'{_remedy(annotations)}.'
            )
        classes[fields[1]] = number - 1
    return classes


def read_split(path: Path, classes: dict[str, int]) -> list[tuple[str, int]]:
    """Read a ``trainlist0N.txt`` or ``testlist0N.txt``.

    The class is the folder's: file names spell some classes differently, as in
    ``HandstandPushups/v_HandStandPushups_g01_c01.avi``.

    Args:
        path: The list; its lines may or may not end with the 1-based class index.
        classes: The 0-based class index by class folder.

    Returns:
        list[tuple[str, int]]: Videos as ``Class/name.avi`` with their 0-based class index.

    Raises:
        FileNotFoundError: If the file is absent.
        ValueError: If a line names an unknown class, or an index that does not match its folder.
    """
    videos = []
    for number, line in enumerate(read_lines(path, _remedy(path.parent)), start=1):
        video, *index = line.split()
        label = classes.get(video.split('/')[0])
        if label is None:
            raise ValueError(
                f'Line {number} of {path} names the class of {video}, which is not in '
                f'classInd.txt; {_remedy(path.parent)}.'
            )
        if index and index != [str(label + 1)]:
            raise ValueError(
                f'Line {number} of {path} gives {video} the class {" ".join(index)}, but '
                f'classInd.txt says {label + 1}; {_remedy(path.parent)}.'
            )
        videos.append((video, label))
    return videos


def convert(args: argparse.Namespace) -> int:
    """Check the data set and write the lists; return 0 if it is complete, else 1.

    Raises:
        FileNotFoundError: If a folder or list is absent, or the folder holds none of the videos.
        ValueError: If a list is damaged.
    """
    root, annotations = args.videos, args.annotations
    if not root.is_dir():
        raise FileNotFoundError(
            f'The video folder {root} does not exist; download UCF101.rar from {PAGE}, '
            'unpack it and pass its folder UCF-101 by --videos.'
        )
    classes = read_classes(annotations)
    lists = {
        (split, subset): read_split(annotations / f'{file_name}{split:02d}.txt', classes)
        for split in args.splits
        for subset, file_name in (('train', 'trainlist'), ('val', 'testlist'))
    }
    listed = sorted({video for videos in lists.values() for video, _ in videos})

    report = ConversionReport('UCF101', args.check)
    on_disk = list_files(root, ['.avi'])
    # Copies of UCF101 differ in the case of some names; so may a list and the disk.
    known = {name.lower(): name for name in on_disk} | {name: name for name in on_disk}
    files = {video: known.get(video, known.get(video.lower())) for video in listed}
    report.unlisted = sorted(set(on_disk).difference(files.values()))
    remedy = 'pass the folder UCF-101 itself, which holds one folder a class, by --videos'
    usable = report.find_videos(root, files, args.workers, remedy)

    report.add_count('classes', len(classes), NUM_CLASSES, len(classes))
    report.add_count('videos', len(listed), NUM_VIDEOS, len(usable))
    for (split, subset), videos in lists.items():
        name = f'ucf101_{subset}_split_{split}_videos.txt'
        entries = [(usable[video], label) for video, label in videos if video in usable]
        written = write_video_list(args.out / name, entries)
        report.add_count(name, len(videos), SPLIT_SIZES[split][subset == 'val'], written)
    return report.finish(args.out / 'ucf101_report.json', args.allow_missing)


def _remedy(annotations: Path) -> str:
    return (
        f'download UCF101TrainTestSplits-RecognitionTask.zip from {PAGE} and pass its folder '
        f'ucfTrainTestlist by --annotations (now {annotations})'
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the converter and return its exit code."""
    parser = make_parser(
        __doc__,
        videos=('data/ucf101/videos', 'the folder UCF-101'),
        annotations=('data/ucf101/annotations', 'the folder ucfTrainTestlist'),
        out=('data/ucf101', 'where the lists go'),
    )
    add_splits(parser, sorted(SPLIT_SIZES))
    return run_converter(convert, parser, argv)


if __name__ == '__main__':
    sys.exit(main())
