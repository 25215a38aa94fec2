"""What an answer is made of cannot be changed, and is not sent to another process."""

from __future__ import annotations

from typing import Any, NoReturn, Self

__all__ = ["Frozen"]


class Frozen:
    """A value that keeps what it was made with; a copy of it is the value itself.

    It is not pickled: an answer holds the place and the condition that somebody asked for.
    """

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name}: a {type(self).__name__} cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{name}: a {type(self).__name__} cannot be changed")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} is not pickled: it holds what somebody asked for. Send "
            f"to_dict() or to_dicts() of an answer, or the criteria of a filter and the directory"
        )
