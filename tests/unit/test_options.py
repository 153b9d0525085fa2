"""What a connection may be told, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest

from oci_merge import RegistryOptions, UsageError


def test_the_usual_connection_tries_five_times_and_has_no_deadline() -> None:
    assert RegistryOptions() == RegistryOptions(retries=4, timeout=None, deadline=None)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", ["timeout", "deadline"])
def test_seconds_have_to_be_a_time(name: str, seconds: float) -> None:
    given: dict[str, Any] = {name: seconds}
    with pytest.raises(UsageError) as caught:
        RegistryOptions(**given)
    assert caught.value.message == f"{name} must be more than 0 seconds, got {seconds:g}"
    assert caught.value.hint


def test_retries_are_not_negative() -> None:
    assert RegistryOptions(retries=0).retries == 0
    with pytest.raises(UsageError, match="retries must be 0 or more, got -1"):
        RegistryOptions(retries=-1)


def test_a_key_needs_its_certificate() -> None:
    assert RegistryOptions(client_cert="both.pem").client_key is None
    with pytest.raises(UsageError, match="without a client certificate"):
        RegistryOptions(client_key="key.pem")
