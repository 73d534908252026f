"""Options of `spact-anonymize` that choose times and parts of frames."""

import argparse

from ..apis.times import Times, parse_span, parse_time
from ..apis.zones import Zones, parse_zone
from ..arguments import in_own_words

EDITS = """
Times are seconds since the first frame, or 1:30.5, or 0:01:30.5. A zone is a polygon of corners x,y
as parts of width and height, such as "0,0 0.5,0 0.5,1 0,1" for the left half; it stays where it is
while persons walk through it.
"""


def add_edit_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what chooses times and parts of frames."""
    group = parser.add_argument_group('times and zones', EDITS)
    group.add_argument('--start', type=in_own_words(parse_time), metavar='TIME', help='of a video')
    group.add_argument(
        '--end', type=in_own_words(parse_time), metavar='TIME', help='of a video, not included'
    )
    group.add_argument(
        '--leave-out',
        type=in_own_words(parse_span),
        action='append',
        metavar='TIME-TIME',
        help='frames in it are black; may be given several times',
    )
    group.add_argument(
        '--hide',
        type=in_own_words(parse_zone),
        action='append',
        metavar='ZONE',
        help='black, before the anonymizer sees it; may be given several times',
    )
    group.add_argument(
        '--keep',
        type=in_own_words(parse_zone),
        action='append',
        metavar='ZONE',
        help='RAW: NOTHING in this zone is anonymized, and whoever comes into it is seen; for '
        'clocks and signs where nobody can be; may be given several times',
    )
    group.add_argument(
        '--changes',
        action='store_true',
        help='write how much of each frame changed, as JSON beside the output',
    )


def check_edits(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse what does not go together."""
    has_times = args.start is not None or args.end is not None or args.leave_out
    if has_times and args.keep_audio:
        parser.error('--start, --end and --leave-out do not go with --keep-audio: leave it out')
    if args.start is not None and args.end is not None and args.start >= args.end:
        parser.error('--end must be later than --start')
    if args.live and (has_times or args.changes):
        parser.error('--start, --end, --leave-out and --changes have no effect on --live')


def find_zones(args: argparse.Namespace) -> Zones:
    """Return the zones of a command line."""
    return Zones(tuple(args.keep or ()), tuple(args.hide or ()))


def find_edits(args: argparse.Namespace) -> dict:
    """Return those of ``zones`` and ``times``, for ``anonymize_file``, that are given."""
    times = Times(args.start, args.end, tuple(args.leave_out or ()))
    found = dict(zones=find_zones(args), times=times)
    return {name: value for name, value in found.items() if value}
