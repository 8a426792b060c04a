"""What the tests of the explorer share: a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.chromium import Browser


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all pages; what needs it is skipped where there is none."""
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()
