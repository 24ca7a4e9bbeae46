"""What every test run has in common: reproducible property tests, one thread a process, no way to the network."""

import socket
from collections.abc import Iterator

import jaxtyping
import pytest
import torch
from hypothesis import settings

from tests import shapes as shapes  # the checker that pyproject.toml names must have been imported

# The same examples every time: a red run must be the change's doing. No deadline: the machine is shared.
settings.register_profile("suite", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("suite")

# xdist's workers share the cores; torch would start a full set of threads in each.
torch.set_num_threads(1)


@pytest.fixture
def shapes_unchecked() -> Iterator[None]:
    """For tests of what the package itself says to wrong shapes and types, which annotations would refuse first."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test connect to this machine only, so that none can quietly depend on a download."""
    connect = socket.socket.connect

    def connect_locally(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0] if isinstance(address, tuple) else address
            if host not in ("127.0.0.1", "::1", "localhost"):
                raise OSError(f"a test tried to reach {host!r}; tests use no network")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_locally)
