"""Anonymize a file: a video frame by frame, or an image."""

import functools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import wait
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import numpy as np

from .changes import ChangeLog
from .frame_size import fit_size, resize
from .image_file import MAX_PIXELS, read_image
from .output_files import (
    check_video,
    fingerprint,
    frame_name,
    named_errors,
    whole_or_none,
    write_image,
)
from .outputs import IMAGES, Job
from .sound import Sound, can_copy, codec_name
from .threads import make_threads
from .times import Times
from .video_file import VideoReader, VideoWriter
from .zones import Zones

#: Size in bytes of the batches of decoded frames that are anonymized together.
_BATCH_BYTES = 8 << 20
#: The next frames are read and anonymized while some are written.
_threads = make_threads()


@dataclass
class FileResult:
    """The result of anonymizing a file.

    Attributes:
        output (str): The file or folder that was written.
        frames (int): Number of frames in it.
        height (int): Height in pixels.
        width (int): Width in pixels.
        audio (str): ``'none'`` if the source has none, ``'dropped'`` or ``'kept'``.
        warning (str): Flaw of the source; empty if there is none.
        bytes (int): Size of the file, or of all files of the folder.
        sha256 (str): Hash of the file, or of the names and contents of all files of the folder.
        raw_zones (list | None): Polygons in which frames are RAW; None if there are none.
        changes (dict | None): Summary of the changes; None if they were not requested.
    """

    output: str
    frames: int
    height: int
    width: int
    audio: str = 'none'
    warning: str = ''
    bytes: int = 0
    sha256: str = ''
    raw_zones: list | None = None
    changes: dict | None = None


def anonymize_file(
    job: Job,
    anonymize: Callable[[np.ndarray], np.ndarray],
    size: int | None = None,
    side_by_side: bool = False,
    images: bool = False,
    keep_audio: bool = False,
    on_frames: Callable[[int, int], None] | None = None,
    max_pixels: int = MAX_PIXELS,
    before_replace: Callable[[FileResult], None] | None = None,
    crf: int | None = None,
    codec: str = 'h264',
    zones: Zones | None = None,
    times: Times | None = None,
    changes: ChangeLog | None = None,
) -> FileResult:
    """Anonymize a video or an image into a file, in memory that does not grow with the length.

    The output has the frames, the rate, the time stamps and the upright size of the source, and
    none of its metadata. The output appears under its name when it is whole and was read back. A
    file of that name is replaced, and so is a folder that holds only frames;
    :func:`~spact_mm.apis.anonymize_job` checks before whether the replacement is allowed.

    Args:
        job (Job): The source and the output.
        anonymize (Callable): RGB uint8 frames (N, H, W, 3) to the same. If it has a
            ``clip_length``, each call except the last gets a multiple of this number of successive
            frames.
        size (int, optional): Length to which the shorter side is resized first. Defaults to None:
            no resizing.
        side_by_side (bool): Whether the source is shown to the left. Defaults to False.
        images (bool): Whether a video becomes a folder of PNG images. Defaults to False.
        keep_audio (bool): Whether the sound track, including voices, is copied. Defaults to False.
        on_frames (Callable, optional): Called with the number of finished frames and of expected
            frames, 0 if unknown. Defaults to None.
        max_pixels (int): Pictures and frames with more pixels are refused before they are decoded.
            Defaults to :data:`~spact_mm.media.media_probe.MAX_PIXELS`.
        before_replace (Callable, optional): Called with the result before the output gets its name;
            if it raises, an old output stays. Defaults to None.
        crf (int, optional): As for :class:`VideoWriter`. Defaults to None.
        codec (str): As for :class:`VideoWriter`. Defaults to ``'h264'``.
        zones (Zones, optional): Parts of all frames that are hidden or kept RAW. Defaults to None.
        times (Times, optional): Times of a video to write, without its sound. Defaults to None:
            all.
        changes (ChangeLog, optional): Gets all input and output frames. Defaults to None.

    Returns:
        FileResult: Facts about the written file.

    Raises:
        ValueError: If the source cannot be read, or its pictures are too large.
        OSError: If the output cannot be written or read back.
    """
    with named_errors(job.output):
        job.output.parent.mkdir(parents=True, exist_ok=True)
    if times and keep_audio:
        raise ValueError('Times and kept sound do not go together: leave the sound out.')
    options = dict(size=size, side_by_side=side_by_side, max_pixels=max_pixels, changes=changes)
    anonymize = zones.around(anonymize) if zones else anonymize
    with whole_or_none(job.output) as partial:
        if job.is_image:
            result = _anonymize_image(job, partial, anonymize, **options)
        else:
            with VideoReader(job.source, max_pixels) as reader, ExitStack() as closed_before:
                base = reader.time_base
                frames = times.cut(reader, base, job.source) if times else reader
                options.update(path=job.source, time_base=base)
                batches = _anonymize(frames, anonymize, **options)
                frames = closed_before.enter_context(closing(_one_ahead(batches)))
                frames = times.blacken(frames, base) if times else frames
                frames = _report(frames, reader, on_frames)
                write = (
                    _write_folder
                    if images
                    else functools.partial(_write_video, crf=crf, codec=codec)
                )
                result = write(job.output, partial, frames, reader, keep_audio)
                damage = _describe_damage(reader, result.frames)
                result.warning = ' '.join(filter(None, [damage, result.warning]))
        result.raw_zones = (zones and list(zones.keep)) or None
        result.changes = changes and changes.summary
        with named_errors(job.output):
            result.bytes, result.sha256 = fingerprint(partial)
        if before_replace is not None:
            before_replace(result)
    return result


def read_anonymized(
    source: Path,
    anonymize: Callable[[np.ndarray], np.ndarray],
    size: int | None = None,
    side_by_side: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Return a whole video or image, anonymized.

    Args:
        source (Path): The file.
        anonymize (Callable): As for :func:`anonymize_file`.
        size (int, optional): As for :func:`anonymize_file`. Defaults to None.
        side_by_side (bool): As for :func:`anonymize_file`. Defaults to False.
        max_pixels (int): As for :func:`anonymize_file`.

    Returns:
        np.ndarray: RGB uint8, (T, H, W, 3) for a video, (H, W, 3) for an image.
    """
    options = dict(size=size, side_by_side=side_by_side, max_pixels=max_pixels)
    if source.suffix.lower() in IMAGES:
        picture, _ = read_image(source, max_pixels)
        [[(frame, _)]] = _anonymize([(picture, 0)], anonymize, path=source, **options)
        return frame
    with VideoReader(source, max_pixels) as reader:
        batches = _anonymize(reader, anonymize, path=source, **options)
        return np.stack([frame for batch in batches for frame, _ in batch])


def _anonymize_image(job: Job, partial: Path, anonymize, max_pixels: int, **options) -> FileResult:
    picture, warning = read_image(job.source, max_pixels)
    batches = _anonymize(
        [(picture, 0)], anonymize, path=job.source, max_pixels=max_pixels, **options
    )
    [[(frame, _)]] = batches
    with named_errors(job.output):
        write_image(frame, partial)
    return FileResult(str(job.output), 1, *frame.shape[:2], warning=warning)


def _anonymize(
    frames: Iterable[tuple[np.ndarray, int]],
    anonymize: Callable[[np.ndarray], np.ndarray],
    size: int | None,
    side_by_side: bool,
    path: Path,
    max_pixels: int,
    time_base: Fraction = Fraction(1),
    changes: ChangeLog | None = None,
) -> Iterator[list[tuple[np.ndarray, int]]]:
    """Yield batches of frames anonymized, each with its time stamp."""
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        return
    height, width = fit_size(*first[0].shape[:2], size, path, max_pixels)
    length = getattr(anonymize, 'clip_length', 1)
    count = max(1, _BATCH_BYTES // (3 * height * width * length)) * length
    # Frames of a video may change their size; the output has one size.
    frames = ((resize(p, height, width), stamp) for p, stamp in chain([first], frames))
    while batch := list(islice(frames, count)):
        pictures, stamps = zip(*batch, strict=True)
        raw = np.stack(pictures)
        done = anonymize(raw)
        if changes is not None:
            changes.add(raw, done, [float(stamp * time_base) for stamp in stamps])
        if side_by_side:
            done = np.concatenate([raw, done], axis=2)
        yield list(zip(done, stamps, strict=True))


def _one_ahead(
    batches: Iterator[list[tuple[np.ndarray, int]]],
) -> Iterator[tuple[np.ndarray, int]]:
    """Yield the items of batches, of which a thread computes the next one in the meantime.

    Once this iterator is closed, the thread has ended its work, and what it reads can be closed.
    """
    batch = _threads().submit(next, batches, None)
    try:
        while items := batch.result():
            batch = _threads().submit(next, batches, None)
            yield from items
    finally:
        wait([batch])


def _report(frames, reader: VideoReader, on_frames) -> Iterator[tuple[np.ndarray, int]]:
    expected = reader.num_expected
    for done, item in enumerate(frames, start=1):
        yield item
        if on_frames is not None:
            on_frames(done, expected)


def _write_video(
    output: Path,
    partial: Path,
    frames,
    reader: VideoReader,
    keep_audio: bool,
    crf: int | None,
    codec: str,
) -> FileResult:
    audio = reader.audio if keep_audio else None
    if audio is not None and not can_copy(audio):
        raise ValueError(
            f'{reader.path} has sound as {codec_name(audio)}, which an MP4 file cannot hold: '
            'convert it before, or go without --keep-audio.'
        )
    sound = None if audio is None else Sound(reader.path, reader.start)
    delay = 0 if sound is None else round(sound.delay / reader.time_base)
    writer = VideoWriter(
        partial,
        output,
        reader.rate,
        reader.time_base,
        reader.sample_aspect_ratio,
        crf,
        colour=reader.colour,
        audio=audio,
        codec=codec,
    )
    with writer, closing(frames):
        for frame, stamp in frames:
            writer.write(frame, stamp + delay)
            if sound is not None:
                for packet in sound.take_until((stamp + delay) * reader.time_base):
                    writer.write_audio(packet)
        if sound is not None:
            for packet in sound.take_until():
                writer.write_audio(packet)
    check_video(partial, output, writer.num_frames)
    state = 'none' if reader.audio is None else 'kept' if keep_audio else 'dropped'
    result = FileResult(str(output), writer.num_frames, *frame.shape[:2], audio=state)
    if sound is not None and sound.num_dropped:
        result.warning = (
            f'{sound.num_dropped} packets of its sound have no usable time, and are left out.'
        )
    return result


def _write_folder(
    output: Path, partial: Path, frames, reader: VideoReader, keep_audio: bool
) -> FileResult:
    with named_errors(output):
        partial.mkdir()
    for index, (frame, _) in enumerate(frames):
        with named_errors(output):
            write_image(frame, partial / frame_name(index))
    state = 'none' if reader.audio is None else 'dropped'
    return FileResult(str(output), index + 1, *frame.shape[:2], audio=state)


def _describe_damage(reader: VideoReader, frames: int) -> str:
    if reader.num_bad_packets:
        return (
            f'{reader.path} is damaged: {reader.num_bad_packets} of its packets could not be '
            f'decoded; the other {frames} frames are written.'
        )
    # The declared number of frames is not used: it counts frames that an edit list hides or that
    # were dropped.
    if reader.truncation:
        return f'{reader.path} is damaged: {reader.truncation}; {frames} frames are written.'
    return ''
