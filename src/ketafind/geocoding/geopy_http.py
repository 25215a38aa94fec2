"""The way from geopy to a service, through `ketafind.geocoding.http`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import local
from typing import Any

from ketafind.geocoding.http import ask, check_depth

__all__ = ["deadline_adapter_class"]


@cache
def deadline_adapter_class() -> Any:
    """Make the adapter's class; geopy is imported only now."""
    from geopy.adapters import AdapterHTTPError, BaseSyncAdapter
    from geopy.exc import GeocoderParseError

    class DeadlineAdapter(BaseSyncAdapter):  # type: ignore[misc]
        def __init__(self, *, allow_private: bool = False) -> None:
            super().__init__(proxies=None, ssl_context=None)
            self.allow_private = allow_private
            self._local = local()

        @contextmanager
        def until(self, deadline: float) -> Iterator[None]:
            self._local.deadline = deadline
            try:
                yield
            finally:
                del self._local.deadline

        def get_text(self, url: str, *, timeout: float | None, headers: dict[str, str]) -> str:
            deadline = getattr(self._local, "deadline", time.monotonic() + (timeout or 10.0))
            reply = ask(url, headers, deadline, allow_private=self.allow_private)
            if reply.status >= 400:
                raise AdapterHTTPError(
                    f"HTTP status {reply.status}",
                    status_code=reply.status,
                    headers=reply.headers,
                    text="",
                )
            return reply.text

        def get_json(self, url: str, *, timeout: float | None, headers: dict[str, str]) -> Any:
            text = self.get_text(url, timeout=timeout, headers=headers)
            check_depth(text)
            try:
                value = json.loads(text)
            except ValueError:
                raise GeocoderParseError("the reply is not JSON") from None
            # geopy takes null for "not found"; an empty list says that, null is a fault.
            if value is None or value == {}:
                raise GeocoderParseError("the reply is empty")
            return value

    return DeadlineAdapter
