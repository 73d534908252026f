import os
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope

import spact_mm  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
#: Real data kept beside the project; tests that need them skip where they are absent.
SHARED_DATA = Path(os.environ.get('SPACT_SHARED_DATA', ROOT.parent / 'shared' / 'data'))


@pytest.fixture(autouse=True)
def mmaction_scope():
    """Build components as a config with `default_scope = 'mmaction'` does."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def shared_data():
    if not SHARED_DATA.is_dir():
        pytest.skip(f'the real data are not at {SHARED_DATA} (set SPACT_SHARED_DATA)')
    return SHARED_DATA
