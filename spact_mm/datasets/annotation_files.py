"""Annotation files of the project: written by the converters, read by the datasets."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..files import write_whole
from ..media.unreadable import check_list_file
from .list_entries import check_entry, shorten

#: Bound on the frames of a video: the labels take memory for each frame.
_MAX_FRAMES = 10_000_000


def write_names(path: str | os.PathLike, names: Iterable[str]) -> None:
    """Write a file with a name in each line; its folder is made."""
    write_whole(path, ''.join(f'{name}\n' for name in names))


def write_video_list(
    path: str | os.PathLike, videos: Iterable[tuple[str, int]], delimiter: str = ' '
) -> int:
    """Write MMAction2's ``VideoDataset`` list, one ``relative/path.avi label`` per line.

    Args:
        path: The list file; its folder is made.
        videos: Pairs of a path relative to the video root and a 0-based class index.
        delimiter: Delimiter of path and label, as in ``VideoDataset``. Defaults to a space.

    Returns:
        int: Number of lines written.

    Raises:
        ValueError: If a path holds the delimiter, begins or ends with white space, which
            ``VideoDataset`` drops, or leads out of the video root.
    """
    lines = []
    for video, label in videos:
        if delimiter in video or '\n' in video or video.strip() != video:
            name = {' ': 'a space', '\t': 'a tab'}.get(delimiter, repr(delimiter))
            what = name if delimiter in video else 'a line break, or white space at an end'
            raise ValueError(
                f'The video name {video!r} holds {what}, which the list format cannot; rename it.'
            )
        check_entry(video, f'The list {path}')
        lines.append(f'{video}{delimiter}{label}\n')
    write_whole(path, ''.join(lines))
    return len(lines)


def write_attribute_file(
    path: str | os.PathLike,
    attributes: Sequence[str],
    images: Iterable[tuple[str, Sequence[str]]],
    dataset: str = 'VISPR',
    actions: Mapping[str, str] | None = None,
) -> int:
    """Write the JSON annotation file that ``VISPRDataset`` reads.

    Args:
        path: The annotation file; its folder is made.
        attributes: All attribute ids that may occur, in order.
        images: Pairs of a path relative to the image root and the ids present in the image.
        dataset: Name of the data set, kept in ``metainfo``.
        actions: The action in each image or video, by its path, where it is known.

    Returns:
        int: Number of images written.

    Raises:
        ValueError: If an image has an attribute that ``attributes`` does not list, or its path
            leads out of the image root.
    """
    known = set(attributes)
    data_list = []
    for image, present in images:
        unknown = sorted(set(present) - known)
        if unknown:
            raise ValueError(
                f'The image {image} has the unlisted attributes {unknown}; add them to the list.'
            )
        check_entry(image, f'The annotation file {path}')
        action = {} if actions is None else dict(action=actions[image])
        data_list.append(dict(img_path=image, attributes=list(present), **action))
    metainfo = dict(dataset=dataset, attributes=list(attributes))
    write_whole(path, json.dumps(dict(metainfo=metainfo, data_list=data_list), indent=0))
    return len(data_list)


def read_attribute_file(path: str | os.PathLike) -> Mapping:
    """Read an annotation file of :func:`write_attribute_file`.

    Raises:
        FileNotFoundError: If the file is absent.
        ValueError: If it is another kind of file, lists no image, or has a wrong entry (named).
    """
    content = _read_json(path, 'img_path', 'an attribute annotation file or lists no image')
    known = content['metainfo']['attributes']
    for index, entry in enumerate(content['data_list']):
        where = f'Entry {index} (from 0) of data_list in {path}'
        _check_keys(entry, ('img_path', 'attributes'), where)
        check_entry(entry['img_path'], where, allow_outside=True)
        _check_names(entry['attributes'], known, f'{where}, {entry["img_path"]!r},')
        if not isinstance(entry.get('action', ''), str):
            raise ValueError(
                f'{where}, {entry["img_path"]!r}, has action = {shorten(entry["action"])} in place '
                'of a name; correct the file.'
            )
    return content


def write_segment_file(
    path: str | os.PathLike,
    attributes: Sequence[str],
    videos: Iterable[tuple[str, int, Mapping[str, Sequence]]],
    dataset: str = 'PA-HMDB51',
) -> int:
    """Write the JSON annotation file that ``PAHMDB51Dataset`` reads, with attributes of frames.

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
    for entry in data_list:
        check_entry(entry['video'], f'The annotation file {path}')
    metainfo = dict(dataset=dataset, attributes=list(attributes))
    write_whole(path, json.dumps(dict(metainfo=metainfo, data_list=data_list)))
    return len(data_list)


def read_segment_file(path: str | os.PathLike) -> Mapping:
    """Read an annotation file of :func:`write_segment_file`.

    Raises:
        FileNotFoundError: If the file is absent.
        ValueError: If it is another kind of file, lists no video, or has a wrong entry (named).
    """
    content = _read_json(path, 'segments', 'a frame-wise annotation file or lists no video')
    known = content['metainfo']['attributes']
    for index, entry in enumerate(content['data_list']):
        where = f'Entry {index} (from 0) of data_list in {path}'
        _check_keys(entry, ('video', 'num_frames', 'segments'), where)
        check_entry(entry['video'], where, allow_outside=True)
        where += f', {entry["video"]!r},'
        if not is_whole(entry['num_frames']) or not 0 < entry['num_frames'] <= _MAX_FRAMES:
            raise ValueError(
                f'{where} has num_frames = {shorten(entry["num_frames"])} in place of a whole '
                f'number in [1, {_MAX_FRAMES:,}]; correct the file.'
            )
        segments = entry['segments']
        if not isinstance(segments, dict) or sorted(segments) != sorted(known):
            found = shorten(sorted(segments) if isinstance(segments, dict) else segments)
            raise ValueError(
                f'{where} has segments of {found} in place of {", ".join(known)}; correct the file.'
            )
        for attribute, items in segments.items():
            _check_segments(items, f'{where} has in segments.{attribute}')
    return content


def is_whole(value) -> bool:
    """Return whether a value of a JSON file is a whole number; ``true`` is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def read_json(path: str | os.PathLike, what: str):
    """Read an untrusted file as JSON.

    Args:
        path: A local path.
        what (str): Name of the kind of file in the message.

    Raises:
        FileNotFoundError: If it is absent.
        ValueError: If the path is no plain file, or the file no JSON or nested too deeply.
    """
    check_list_file(path, what)
    try:
        # json.loads would also read UTF-16.
        return json.loads(Path(path).read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        reason = 'nested too deeply' if isinstance(error, RecursionError) else error
        raise ValueError(f'The {what} {path} is no JSON ({reason}); write it anew.') from error


def _read_json(path: str | os.PathLike, key: str, kind: str) -> Mapping:
    """Read a file with ``metainfo`` and ``data_list``, whose entries have ``key``."""
    content = read_json(path, 'annotation file')
    try:
        meta, entries = content['metainfo'], content['data_list']
        first = entries[0]
        # An entry that is no object is reported later; in another kind of file all entries have
        # other keys.
        is_right = 'attributes' in meta and (not isinstance(first, dict) or key in first)
        is_right = is_right and isinstance(meta, dict) and isinstance(entries, list)
    except (LookupError, TypeError):
        is_right = False
    if not is_right:
        raise ValueError(f'{path} is not {kind}; write it anew with the converter in tools/data/.')
    names = meta['attributes']
    if (
        not isinstance(names, list)
        or not all(isinstance(name, str) and name.strip() == name != '' for name in names)
        or len(set(names)) < len(names)
    ):
        raise ValueError(
            f'metainfo.attributes of {path} is {shorten(names)} in place of a list of names, each '
            'once and without blanks around it; correct the file.'
        )
    if not isinstance(meta.get('dataset', ''), str):
        raise ValueError(
            f'metainfo.dataset of {path} is {shorten(meta["dataset"])} in place of a name; correct '
            'the file.'
        )
    return content


def _check_keys(entry, keys: Sequence[str], where: str) -> None:
    if not isinstance(entry, dict) or any(key not in entry for key in keys):
        raise ValueError(
            f'{where} is {shorten(entry)} in place of an object with {", ".join(keys)}; correct '
            'the file.'
        )


def _check_names(names, known: Sequence[str], where: str) -> None:
    allowed = f'choose from {", ".join(known[:40])}' + (', ...' if len(known) > 40 else '')
    if not isinstance(names, list):
        raise ValueError(
            f'{where} has attributes = {shorten(names)} in place of a list of names; {allowed}.'
        )
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise ValueError(f'{where} has the unknown attribute {shorten(name)}; {allowed}.')


def _check_segments(items, where: str) -> None:
    if not isinstance(items, list):
        raise ValueError(f'{where} {shorten(items)} in place of a list; correct the file.')
    for item in items:
        is_right = (
            isinstance(item, list)
            and len(item) == 3
            and is_whole(item[0])
            and is_whole(item[1])
            # Some published annotations continue after the end of the video.
            and 0 <= item[0] <= item[1] < _MAX_FRAMES
            and isinstance(item[2], list)
            and all(is_whole(value) and value >= 0 for value in item[2])
        )
        if not is_right:
            raise ValueError(
                f'{where} the segment {shorten(item)} in place of [first frame, last frame, '
                '[values]], frames being counted from 0 and values not negative; correct the file.'
            )
