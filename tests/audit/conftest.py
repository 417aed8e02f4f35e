"""The audit's tables."""

from __future__ import annotations

import pytest

from tests.support.databases import Tables


@pytest.fixture
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return Tables("audit", tmp_path_factory.getbasetemp())
