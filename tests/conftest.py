"""Fixtures every test may use; a floor's own stand in its own folder."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as properties

from gateway.settings import Settings
from gateway.store.subject_keys import stored

# How long one example takes says how busy the machine is; what must be quick is measured where that is the promise.
properties.register_profile("any machine", deadline=None)
properties.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def _no_keys_in_the_working_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Settings made without a state folder keep the persons' keys beside the other things of this run."""
    aside, real = tmp_path_factory.mktemp("subject-keys"), stored.default_url

    def elsewhere(settings: Settings, store_id: str) -> str:
        named = settings.state_dir != Path("var")
        return real(settings, store_id) if named else f"sqlite:///{aside}/{store_id}.db"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored, "default_url", elsewhere)
        yield


@pytest.fixture(scope="module", autouse=True)
def _what_stays_is_not_looked_at_again() -> Iterator[None]:
    """Ten thousand tests and all that was imported for them: without this, each full collection late in a run takes a
    second, and that second stands in whatever test it falls into."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
