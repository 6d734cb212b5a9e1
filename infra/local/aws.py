"""How the local stack's commands speak to the emulator, and to the user."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import botocore.config
import botocore.session

REGION = "us-east-1"

Json = dict[str, Any]


class Failure(Exception):
    """Something the user must hear about; its text is the message."""


def say(line: str) -> None:
    """One line of progress."""
    print(line, file=sys.stderr, flush=True)


def client(endpoint: str, service: str) -> Any:
    """A client of one emulated service, as the root of its account."""
    session = botocore.session.get_session()
    session.set_credentials("test", "test")
    config = botocore.config.Config(
        connect_timeout=3, read_timeout=60, retries={"total_max_attempts": 2}
    )
    return session.create_client(service, region_name=REGION, endpoint_url=endpoint, config=config)


def pages(of: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    """Every item of a paged listing."""
    for page in of.get_paginator(operation).paginate(**arguments):
        yield from page.get(key, [])
