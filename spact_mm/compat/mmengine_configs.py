"""Gaps of MMEngine in how it finds configs of other packages."""

from ..packaged import MIM, find_config

_NAME = 'spact_mm'


def find_configs_of_this_package() -> None:
    """Resolve ``_base_ = 'spact_mm::…'`` and ``get_config('spact_mm::…')``.

    MMEngine knows ``package::path`` of the packages in a list of its own (``MODULE2PACKAGE``), and
    paths with a folder, only. It looks for the package beside its metadata, which in an editable
    install of today's pip lie elsewhere; and it gives what it has read the scope of the package, in
    which registries look for components, though ours are in MMAction2's. Can go when MMEngine
    resolves any installed package, with the scope that its configs name themselves.

    It works from ``import spact_mm`` on. MMAction2's own tools parse a config before they import
    what it names; start them by ``tools/upstream.py``, or ``mim train spact_mm``.
    """
    from mmengine.config import Config
    from mmengine.config.utils import MODULE2PACKAGE
    from mmengine.hub import hub

    if _NAME in MODULE2PACKAGE:
        return
    MODULE2PACKAGE[_NAME] = _NAME
    get_cfg_path = Config._get_cfg_path
    split, find_package = hub._get_package_and_cfg_path, hub.get_installed_path

    def _get_cfg_path(cfg_path, filename):
        if not cfg_path.startswith(f'{_NAME}::'):
            return get_cfg_path(cfg_path, filename)
        return find_config(cfg_path), None

    def _get_package_and_cfg_path(cfg_path):
        if not cfg_path.startswith(f'{_NAME}::'):
            return split(cfg_path)
        return _NAME, cfg_path.removeprefix(f'{_NAME}::')

    def get_installed_path(package):
        return str(MIM.parent) if package == _NAME else find_package(package)

    Config._get_cfg_path = staticmethod(_get_cfg_path)
    # What `get_config` looks up, as it may have been imported from there already.
    hub._get_package_and_cfg_path = _get_package_and_cfg_path
    hub.get_installed_path = get_installed_path
