"""Finding installed packages."""

import importlib.metadata
import importlib.util
from pathlib import Path


def package_dir(package: str) -> Path | None:
    """Return the folder of a top-level package without importing it; None if it is absent."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def is_installed(package: str) -> bool:
    """Tell whether a distribution (``mmaction2``) or module (``mmaction``) is installed."""
    try:
        get_installed_path(package)
    except ModuleNotFoundError:
        return False
    return True


def get_installed_path(package: str) -> str:
    """Return the folder of an installed distribution (``mmaction2``) or module (``mmaction``).

    Raises:
        ModuleNotFoundError: If there is no package of that name.
    """
    module = package
    try:
        top_level = importlib.metadata.distribution(package).read_text('top_level.txt')
        module = top_level.split()[0] if top_level else package
    except importlib.metadata.PackageNotFoundError:
        pass
    folder = package_dir(module)
    if folder is None:
        raise ModuleNotFoundError(
            f'{package} is not installed: run `pip install {package}`.', name=package
        )
    return str(folder)
