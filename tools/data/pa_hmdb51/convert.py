"""Write the annotation file of PA-HMDB51 from the published JSON files, and check the videos."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from spact_mm.datasets.annotation_files import write_segment_file
from spact_mm.datasets.conversion import ConversionReport, make_parser, run_converter
from spact_mm.datasets.video_reader import open_video
from spact_mm.progress import track

PAGE = 'https://github.com/VITA-Group/PA-HMDB51'
NUM_CLASSES = 51
NUM_VIDEOS = 515
NUM_FRAMES = 52533
# The largest value of each attribute; 0 is absent.
MAX_VALUES = {'skin_color': 3, 'face': 2, 'gender': 2, 'nudity': 2, 'relationship': 1}
# A video's segments by attribute: first and last frame, and the values of all persons in these
# frames.
Segments = dict[str, list[tuple[int, int, list[int]]]]


def parse_video(entry: Mapping) -> tuple[int, Segments]:
    """Check the annotation of one video.

    Args:
        entry: For each attribute a list of ``[start, end, value]``, inclusive and 0-based, where
            ``value`` is a number or, for several persons, a list of them. Other keys (``review``,
            ``note``) are ignored. Segments need not begin at 0 and may have gaps.

    Returns:
        tuple[int, Segments]: The number of frames, which is the last annotated frame plus one, and
        the segments, always with lists of values.

    Raises:
        ValueError: If the entry is no such annotation.
    """
    segments = {}
    for attribute, max_value in MAX_VALUES.items():
        if not isinstance(entry, Mapping) or not entry.get(attribute):
            raise ValueError(f'no segment of {attribute}')
        segments[attribute] = [
            _parse_segment(segment, attribute, max_value) for segment in entry[attribute]
        ]
        starts = [start for start, _, _ in segments[attribute]]
        if starts != sorted(set(starts)):
            raise ValueError(f'the segments of {attribute} are not in order')
    last = max(end for parsed in segments.values() for _, end, _ in parsed)
    return last + 1, segments


def read_annotations(
    folder: Path, report: ConversionReport
) -> tuple[int, dict[str, tuple[int, Segments]]]:
    """Read the JSON files of all classes.

    Args:
        folder: The folder ``PrivacyAttributes``.
        report: Report that gets the videos with broken annotations.

    Returns:
        tuple[int, dict[str, tuple[int, Segments]]]: Number of classes, and the result of
        :func:`parse_video` by video, as ``class/name.avi``.

    Raises:
        FileNotFoundError: If the folder holds no JSON file.
        ValueError: If one is not a JSON file of videos.
    """
    files = sorted(folder.glob('*.json'))
    if not files:
        raise FileNotFoundError(
            f'{folder} holds no <class>.json; download PA-HMDB51 from {PAGE} and pass its folder '
            'PrivacyAttributes by --annotations.'
        )
    videos = {}
    for path in files:
        try:
            entries = json.loads(path.read_text(encoding='utf-8')).items()
        except (ValueError, AttributeError) as error:
            raise ValueError(
                f'{path} is not an annotation of PA-HMDB51; download it again from {PAGE}.'
            ) from error
        for name, entry in entries:
            try:
                videos[f'{path.stem}/{name}'] = parse_video(entry)
            except ValueError as error:
                report.broken[f'{path.stem}/{name}'] = f'annotation: {error}'
    return len(files), videos


def convert(args: argparse.Namespace) -> int:
    """Check the data set and write the annotation file; return 0 if it is complete, else 1.

    Raises:
        FileNotFoundError: If a folder is absent or holds none of the videos.
        ValueError: If an annotation file is damaged.
    """
    root = args.videos
    if not root.is_dir():
        raise FileNotFoundError(
            f'The video folder {root} does not exist; the videos are those of HMDB51 '
            '(tools/data/hmdb51/README.md), pass their folder by --videos.'
        )
    report = ConversionReport('PA-HMDB51', args.check)
    num_classes, videos = read_annotations(args.annotations, report)
    num_listed = len(videos) + len(report.broken)
    num_frames = sum(length for length, _ in videos.values())
    files = {video: video if (root / video).is_file() else None for video in videos}
    remedy = 'pass the folder of HMDB51 that holds one folder a class by --videos'
    found = report.find_videos(root, files, args.workers, remedy, what='videos of PA-HMDB51')
    usable = {video: videos[video] for video in found}
    if args.check != 'none':
        usable = _cut_to_length(root, usable)

    name = 'pa_hmdb51.json'
    entries = [(video, length, segments) for video, (length, segments) in usable.items()]
    write_segment_file(args.out / name, list(MAX_VALUES), entries)
    report.add_count('classes', num_classes, NUM_CLASSES, num_classes)
    report.add_count(f'{name}: videos', num_listed, NUM_VIDEOS, len(usable))
    written = sum(length for _, length, _ in entries)
    report.add_count(f'{name}: frames', num_frames, NUM_FRAMES, written)
    return report.finish(args.out / 'pa_hmdb51_report.json', args.allow_missing)


def _parse_segment(segment, attribute: str, max_value: int) -> tuple[int, int, list[int]]:
    try:
        start, end, value = segment
        values = sorted(value) if isinstance(value, list) else [value]
        is_valid = 0 <= start <= end and all(
            type(number) is int for number in (start, end, *values)
        )
    except (TypeError, ValueError):
        is_valid = False
    if not is_valid or not values or not all(0 <= number <= max_value for number in values):
        raise ValueError(
            f'{attribute} holds {segment} instead of a first frame, a last frame and a value of 0 '
            f'to {max_value}'
        )
    return start, end, values


def _cut_to_length(
    root: Path, videos: Mapping[str, tuple[int, Segments]]
) -> dict[str, tuple[int, Segments]]:
    """Leave out annotated frames beyond a video's end, which cannot be read."""
    cut = {}
    print('numbers of frames')
    for video in track(list(videos)):
        annotated, segments = videos[video]
        length = len(open_video(root / video))
        cut[video] = min(annotated, length), segments
    shorter = [video for video in videos if cut[video][0] < videos[video][0]]
    if shorter:
        print(f'  note: {len(shorter)} videos end before their annotation, as {shorter[0]}')
    return cut


def main(argv: Sequence[str] | None = None) -> int:
    """Run the converter and return its exit code."""
    parser = make_parser(
        __doc__,
        videos=('data/hmdb51/videos', 'the folder of HMDB51 that holds one folder a class'),
        annotations=('data/pa_hmdb51/PrivacyAttributes', 'the folder PrivacyAttributes'),
        out=('data/pa_hmdb51', 'where the file goes'),
    )
    return run_converter(convert, parser, argv)


if __name__ == '__main__':
    sys.exit(main())
