"""Annotation files of the project: written by the converters, read by the datasets."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..files import write_whole


def write_video_list(path: str | os.PathLike, videos: Iterable[tuple[str, int]]) -> int:
    """Write MMAction2's ``VideoDataset`` list, one ``relative/path.avi label`` per line.

    Args:
        path: The list file; its folder is made.
        videos: Pairs of a path relative to the video root and a 0-based class index.

    Returns:
        int: Number of lines written.

    Raises:
        ValueError: If a path holds a space, which ``VideoDataset`` takes for its delimiter.
    """
    lines = []
    for video, label in videos:
        if ' ' in video:
            raise ValueError(
                f'The video name {video!r} holds a space, which the list format cannot; rename it.'
            )
        lines.append(f'{video} {label}\n')
    write_whole(path, ''.join(lines))
    return len(lines)


def write_attribute_file(
    path: str | os.PathLike,
    attributes: Sequence[str],
    images: Iterable[tuple[str, Sequence[str]]],
    dataset: str = 'VISPR',
) -> int:
    """Write the JSON annotation file that ``VISPRDataset`` reads.

    Args:
        path: The annotation file; its folder is made.
        attributes: All attribute ids that may occur, in order.
        images: Pairs of a path relative to the image root and the ids present in the image.
        dataset: Name of the data set, kept in ``metainfo``.

    Returns:
        int: Number of images written.

    Raises:
        ValueError: If an image has an attribute that ``attributes`` does not list.
    """
    known = set(attributes)
    data_list = []
    for image, present in images:
        unknown = sorted(set(present) - known)
        if unknown:
            raise ValueError(
                f'The image {image} has the unlisted attributes {unknown}; add them to the list.'
            )
        data_list.append(dict(img_path=image, attributes=list(present)))
    metainfo = dict(dataset=dataset, attributes=list(attributes))
    write_whole(path, json.dumps(dict(metainfo=metainfo, data_list=data_list), indent=0))
    return len(data_list)


def read_attribute_file(path: str | os.PathLike) -> Mapping:
    """Read an annotation file of :func:`write_attribute_file`.

    Raises:
        FileNotFoundError: If the file is absent.
        ValueError: If it is not such a file, or lists no image.
    """
    return _read_json(path, 'img_path', 'an attribute annotation file or lists no image')


def write_segment_file(
    path: str | os.PathLike,
    attributes: Sequence[str],
    videos: Iterable[tuple[str, int, Mapping[str, Sequence]]],
    dataset: str = 'PA-HMDB51',
) -> int:
    """Write the JSON annotation file that ``PAHMDB51Dataset`` reads: attributes by the frame.

    Args:
        path: The annotation file; its folder is made.
        attributes: All attributes, in order.
        videos: Triples of a path relative to the video root, the number of frames and, for each
            attribute, its segments ``(start, end, values)``: inclusive, 0-based frame indices and
            the values of all persons in these frames. A frame may be in no segment.
        dataset: Name of the data set, kept in ``metainfo``.

    Returns:
        int: Number of videos written.
    """
    data_list = [
        dict(video=video, num_frames=num_frames, segments={a: segments[a] for a in attributes})
        for video, num_frames, segments in videos
    ]
    metainfo = dict(dataset=dataset, attributes=list(attributes))
    write_whole(path, json.dumps(dict(metainfo=metainfo, data_list=data_list)))
    return len(data_list)


def read_segment_file(path: str | os.PathLike) -> Mapping:
    """Read an annotation file of :func:`write_segment_file`.

    Raises:
        FileNotFoundError: If the file is absent.
        ValueError: If it is not such a file, or lists no video.
    """
    return _read_json(path, 'segments', 'a frame-wise annotation file or lists no video')


def _read_json(path: str | os.PathLike, key: str, kind: str) -> Mapping:
    """Read a file with ``metainfo`` and ``data_list``, whose entries have ``key``."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'The annotation file {path} does not exist; '
            'write it with the converter in tools/data/.'
        )
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        content['metainfo']['attributes'], content['data_list'][0][key]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f'{path} is not {kind}; write it anew with the converter in tools/data/.'
        ) from error
    return content
