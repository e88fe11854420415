"""A fake gateway of its own for each test."""

from collections.abc import Iterator

import pytest

from tests.deploy.client.fake_gateway import FakeGateway, fake_gateway


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    """A gateway that does as it is told."""
    with fake_gateway() as told:
        yield told
