"""Gaps of x264."""

from functools import cache
from pathlib import Path


@cache
def x264_options() -> dict[str, str]:
    """Return options with which x264 writes the same file for the same frames, on any CPU.

    With its AVX-512 code, x264 encodes small frames differently from call to call. Remove this when
    ``test_same_frames_give_the_same_file`` passes without it on such a CPU.
    """
    cpus = Path('/proc/cpuinfo')
    has_avx512 = cpus.is_file() and 'avx512' in cpus.read_text()
    return {'x264-params': 'asm=AVX2'} if has_avx512 else {}
