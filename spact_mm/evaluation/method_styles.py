"""A colour and a marker for each method, the same in all pictures of all reports."""

import zlib
from collections.abc import Iterable

#: Methods of this package, in colours that people with colour-blindness can tell apart (Okabe and
#: Ito, then Tol).
_KNOWN = {
    'SPAct': ('#0072B2', 'o'),
    'supervised': ('#D55E00', 's'),
    'price': ('#009E73', 'D'),
    'downsample 2×': ('#CC79A7', '^'),
    'downsample 4×': ('#882255', 'v'),
    'weak blur': ('#56B4E9', 'p'),
    'strong blur': ('#332288', 'h'),
}
#: Colours of other methods.
_COLORS = ('#E69F00', '#8C6D31', '#7F7F7F', '#44AA99', '#999933', '#661100', '#AA4499', '#DDCC77')
_MARKERS = '<>dXP*8H'
_RAW = ('#222222', '*')


def style_methods(names: Iterable[str], raw: str) -> dict[str, tuple[str, str]]:
    """Return a colour and a marker of Matplotlib for each method.

    Args:
        names (Iterable[str]): The methods of a picture.
        raw (str): The method that stands for raw video, drawn as a dark star.

    Returns:
        dict[str, tuple[str, str]]: Colour and marker. A method of this package has the same style
        in all pictures. Another method has a style by its name, unless an earlier one in the
        picture has taken it.
    """
    taken, styles = set(), {}
    for name in dict.fromkeys(names):
        if name == raw or name in _KNOWN:
            styles[name] = _RAW if name == raw else _KNOWN[name]
            continue
        place = zlib.crc32(name.encode()) % len(_COLORS)
        shift = next((s for s in range(len(_COLORS)) if (place + s) % len(_COLORS) not in taken), 0)
        place = (place + shift) % len(_COLORS)
        taken.add(place)
        styles[name] = (_COLORS[place], _MARKERS[place])
    return styles
