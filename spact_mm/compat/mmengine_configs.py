"""Gaps of MMEngine in how it finds configs of other packages."""

from ..packaged import MIM, find_config

_NAME = 'spact_mm'


def find_configs_of_this_package() -> None:
    """Resolve ``_base_ = 'spact_mm::…'`` and ``get_config('spact_mm::…')``.

    MMEngine resolves ``package::path`` only for packages in its own list (``MODULE2PACKAGE``) and
    only for paths with a folder. It looks for the package beside its metadata, but an editable
    install by a current pip keeps the metadata elsewhere. And it gives the config the scope of the
    package, in which registries look for components, but the components of this package are in
    MMAction2's scope. Remove this when MMEngine resolves any installed package, with the scope
    named in its configs.

    The work-around takes effect with ``import spact_mm``. MMAction2's own tools parse a config
    before they import its modules; start them by ``tools/upstream.py``, or ``mim train spact_mm``.
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
    # `get_config` looks the function up in this module, which may have imported it already.
    hub._get_package_and_cfg_path = _get_package_and_cfg_path
    hub.get_installed_path = get_installed_path
