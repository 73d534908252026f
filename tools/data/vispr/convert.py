"""Write the annotation files of VISPR from the published folders, and check the images."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from spact_mm.datasets.annotation_files import write_attribute_file
from spact_mm.datasets.conversion import (
    ConversionReport,
    add_splits,
    list_files,
    make_parser,
    read_lines,
    run_converter,
)
from spact_mm.datasets.integrity import check_image, find_broken
from spact_mm.progress import track

PAGE = 'https://tribhuvanesh.github.io/vpa/'
NUM_ATTRIBUTES = 68
SPLIT_SIZES = {'train': 10000, 'val': 4167, 'test': 8000}
REMEDY = f'download the annotations of VISPR from {PAGE} and pass their folder by --annotations'


def read_attributes(annotations: Path) -> list[str]:
    """Read the attribute ids of ``attributes.tsv``, in its order.

    Raises:
        FileNotFoundError: If the file is absent.
        ValueError: If it has no column ``attribute_id``.
    """
    path = annotations / 'attributes.tsv'
    header, *rows = (line.split('\t') for line in read_lines(path, REMEDY))
    if 'attribute_id' not in header:
        raise ValueError(f'{path} has no column attribute_id; {REMEDY}.')
    column = header.index('attribute_id')
    return [row[column] for row in rows if len(row) > column and row[column]]


def read_split(annotations: Path, split: str) -> list[str]:
    """Read the annotation paths that ``<split>2017.txt`` lists.

    Raises:
        FileNotFoundError: If the list is absent.
        ValueError: If the list is empty.
    """
    return read_lines(_list_path(annotations, split), REMEDY)


def _list_path(annotations: Path, split: str) -> Path:
    path = annotations / f'{split}2017.txt'
    inner = annotations / 'annotations' / path.name
    return inner if inner.is_file() and not path.is_file() else path


def locate(root: Path, recorded: str, *others: str) -> str | None:
    """Find a file by a recorded path with leading folders that may differ from the user's.

    Args:
        root: The folder where the data set lies.
        recorded: A path such as ``images/train2017/2017_1.jpg``; it is tried unchanged, then
            without its first folder, and so on. It cannot lead out of ``root``.
        *others: Further paths to try, relative to ``root``.

    Returns:
        str | None: The path relative to ``root``, or None if there is no such file.
    """
    parts = [part for part in PurePosixPath(recorded).parts if part not in ('/', '..')]
    candidates = ['/'.join(parts[start:]) for start in range(len(parts))]
    return next((name for name in (*candidates, *others) if (root / name).is_file()), None)


def read_annotation(path: Path, attributes: Sequence[str]) -> tuple[str, list[str]]:
    """Read the annotation of one image.

    Args:
        path: A ``2017_<id>.json`` of the published set.
        attributes: All attribute ids.

    Returns:
        tuple[str, list[str]]: The recorded image path and the ids of present attributes, in the
        order of ``attributes``.

    Raises:
        ValueError: If the file is no such annotation, or has an unknown attribute.
    """
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        image_path, labels = content['image_path'], set(content['labels'])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'not a VISPR annotation ({type(error).__name__}: {error})') from error
    unknown = sorted(labels - set(attributes))
    if unknown:
        raise ValueError(f'the attributes {unknown} are not in attributes.tsv')
    return image_path, [attribute for attribute in attributes if attribute in labels]


def read_images(
    args: argparse.Namespace,
    split: str,
    listed: Sequence[str],
    attributes: Sequence[str],
    report: ConversionReport,
) -> dict[str, list[str]]:
    """Read the annotations of a split and find their images.

    Args:
        args: The options of the command.
        split: ``'train'``, ``'val'`` or ``'test'``.
        listed: The annotation paths of :func:`read_split`.
        attributes: All attribute ids.
        report: Report that gets missing and broken files.

    Returns:
        dict[str, list[str]]: The attributes present in each image that exists, by its path
        relative to ``args.images``.
    """
    images = {}
    print(f'{split}: annotations')
    for recorded in track(listed):
        file_name = PurePosixPath(recorded).name
        image_path = f'{split}2017/{PurePosixPath(file_name).stem}.jpg'
        present = []
        if not args.without_labels:
            annotation = locate(args.annotations, recorded, f'annotations/{split}2017/{file_name}')
            if annotation is None:
                report.missing.append(recorded)
                continue
            try:
                image_path, present = read_annotation(args.annotations / annotation, attributes)
            except ValueError as error:
                report.broken[annotation] = str(error)
                continue
        image = locate(args.images, image_path, f'images/{image_path}')
        if image is None:
            report.missing.append(image_path)
        else:
            images[image] = present
    return images


def convert(args: argparse.Namespace) -> int:
    """Check the data set and write the annotation files; return 0 if it is complete, else 1.

    Raises:
        FileNotFoundError: If a folder or list is absent, or no image of a split is found.
        ValueError: If a list is damaged.
    """
    images_root, annotations = args.images, args.annotations
    if not images_root.is_dir():
        raise FileNotFoundError(
            f'The image folder {images_root} does not exist; download the images of VISPR from '
            f'{PAGE} and pass the folder that holds train2017, val2017 and test2017 by --images.'
        )
    report = ConversionReport('VISPR', args.check)
    # Without labels no attribute is declared either, so that "not annotated" cannot be read as
    # "absent" by a data set that needs labels.
    attributes = []
    if not args.without_labels:
        attributes = read_attributes(annotations)
        report.add_count('attributes', len(attributes), NUM_ATTRIBUTES, len(attributes))
    on_disk = list_files(images_root, ['.jpg', '.jpeg', '.png'])
    splits = {}
    for split in args.splits:
        in_split = [name for name in on_disk if f'{split}2017' in name.split('/')[:-1]]
        if args.without_labels and not _list_path(annotations, split).is_file():
            listed, images = in_split, {name: [] for name in in_split}
        else:
            listed = read_split(annotations, split)
            images = read_images(args, split, listed, attributes, report)
        if not images:
            raise FileNotFoundError(
                f'No image of the {split} split is usable in {images_root}; pass the folder that '
                f'holds {split}2017 by --images and check that --annotations fits it.'
            )
        listed_ids = {PurePosixPath(name).stem for name in listed}
        report.unlisted += [name for name in in_split if PurePosixPath(name).stem not in listed_ids]
        splits[split] = len(listed), images

    names = [name for _, images in splits.values() for name in images]
    print(f'images ({len(names):,})')
    report.broken.update(find_broken(images_root, names, check_image, args.check, args.workers))
    for split, (num_listed, images) in splits.items():
        name = f'vispr_{split}.json'
        usable = [item for item in images.items() if item[0] not in report.broken]
        written = write_attribute_file(args.out / name, attributes, usable)
        report.add_count(name, num_listed, SPLIT_SIZES[split], written)
    return report.finish(args.out / 'vispr_report.json', args.allow_missing)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the converter and return its exit code."""
    parser = make_parser(
        __doc__,
        images=(
            'data/vispr/images',
            'the folder that holds train2017, val2017 and test2017; the paths in the annotation '
            'files are relative to it',
        ),
        annotations=(
            'data/vispr',
            'the folder that holds attributes.tsv, <split>2017.txt and the folder annotations',
        ),
        out=('data/vispr', 'where the files go'),
    )
    add_splits(parser, tuple(SPLIT_SIZES))
    parser.add_argument(
        '--without-labels',
        action='store_true',
        help='read no attributes (SPAct needs none); <split>2017.txt is used where it exists, '
        'else every image of the folder <split>2017',
    )
    return run_converter(convert, parser, argv)


if __name__ == '__main__':
    sys.exit(main())
