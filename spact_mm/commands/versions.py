"""The versions of the dependencies, and those outside of the declared ranges."""

import platform
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_NAME = 'spact_mm'
#: Distributions that install the module ``mmcv``; exactly one of them is needed.
_MMCV = ('mmcv', 'mmcv-lite', 'mmcv-full')


def describe_stack() -> tuple[list[str], list[str]]:
    """Return the versions, and the problems with them.

    Returns:
        tuple[list[str], list[str]]: A line for each package that the metadata of this package name,
        with its version and the declared range; and a sentence for each package that is absent or
        outside of its range, with the remedy.
    """
    # The version comes from the source: a checkout need not be installed.
    from .. import __version__

    lines = [f'{_NAME} {__version__}, Python {platform.python_version()}']
    try:
        declared = metadata.requires(_NAME) or []
    except metadata.PackageNotFoundError:
        sentence = f'{_NAME} is not installed, so what it declares is not known: pip install -e .'
        return lines, [sentence]
    installed_version = metadata.version(_NAME)
    warnings = []
    if installed_version != __version__:
        warnings.append(
            f'{_NAME} {__version__} is imported, while {installed_version} is installed: install '
            'it again.'
        )
    for requirement, is_optional in _wanted(declared):
        version = _version(requirement.name)
        specifier = str(requirement.specifier)
        if version is None:
            if not is_optional:
                lines.append(f'  {requirement.name:24s} {"absent":16s} {specifier}')
                warnings.append(f'{requirement.name} is not installed: {_remedy(requirement)}')
            continue
        lines.append(f'  {requirement.name:24s} {version:16s} {specifier}'.rstrip())
        # A local build (2.6.0+cpu) or a pre-release may be used.
        if not requirement.specifier.contains(version, prereleases=True):
            warnings.append(
                f'{requirement.name} is {version}, outside of the declared {specifier}: '
                f'{_remedy(requirement)}'
            )
    return lines, warnings + _warn_of_mmcv()


def _wanted(declared: list[str]) -> Iterator[tuple[Requirement, bool]]:
    """Yield the requirements for this Python, each package once, and whether it is of an extra."""
    seen = set()
    requirements = [Requirement(text) for text in declared]
    is_optional = {str(r): bool(r.marker and 'extra' in str(r.marker)) for r in requirements}
    # If a package is required both always and in an extra, the requirement that always holds comes
    # first.
    for requirement in sorted(requirements, key=lambda r: is_optional[str(r)]):
        extra = {'extra': ''}
        if not is_optional[str(requirement)]:
            if requirement.marker and not requirement.marker.evaluate(extra):
                continue
        name = canonicalize_name(requirement.name)
        if name not in seen:
            seen.add(name)
            yield requirement, is_optional[str(requirement)]


def _warn_of_mmcv() -> list[str]:
    found = [name for name in _MMCV if _version(name) is not None]
    if len(found) > 1:
        return [
            f'{" and ".join(found)} are both installed and have overwritten each other: pip '
            f'uninstall -y {" ".join(found)}, then pip install one of them.'
        ]
    if not found:
        return ["No mmcv is installed: pip install 'mmcv-lite==2.1.0'"]
    return []


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _remedy(requirement: Requirement) -> str:
    return f"pip install '{requirement.name}{requirement.specifier}'"
