from __future__ import annotations

import pytest

from tests.interop.go_client import GoClient, build


@pytest.fixture(scope="session")
def go(tmp_path_factory: pytest.TempPathFactory) -> GoClient:
    return build(tmp_path_factory.mktemp("go"))
