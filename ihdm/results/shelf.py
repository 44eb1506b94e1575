"""Results of one kind, by name."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Generic, TypeVar

from ihdm.errors import UserError
from ihdm.results.origin import Origin, find_origin

Value = TypeVar("Value")


class UnknownNameError(UserError, KeyError, AttributeError):
    """A name under which there is nothing."""

    def __str__(self) -> str:
        """Return the message alone, which a KeyError would put in quotes."""
        return str(self.args[0])


def unknown(kind: str, name: object, folder: Path, known: list[str]) -> UnknownNameError:
    """Return the error of a name under which there is nothing, with names that are near it."""
    near = get_close_matches(str(name), known, 5, 0.5)
    if near:
        advice = f"near it are {', '.join(near)}"
    elif known:
        advice = f"there are {', '.join(known[:20])}{', …' if len(known) > 20 else ''}"
    else:
        advice = f"there is no {kind} at all"
    return UnknownNameError(f"{folder}: holds no {kind} {name}; {advice}")


@dataclass(frozen=True, repr=False)
class Shelf(Mapping[str, Value], Generic[Value]):
    """Results of one kind, by name; also as attributes, where the name allows it.

    Each is read anew when it is asked for, so that changing it changes no other.

    Attributes:
        kind: what each is called in a message.
        results: the folder of results.
        pattern: where they lie below it; what the stars stand for is the name.
        read: what makes an object of a path.
    """

    kind: str
    results: Path
    pattern: str
    read: Callable[[Path], Value]

    def paths(self) -> dict[str, Path]:
        """Return where each lies, by name."""
        before, _, _ = self.pattern.partition("*")
        after = self.pattern.rpartition("*")[2]
        found = {}
        for path in sorted(self.results.glob(self.pattern)):
            inside = path.relative_to(self.results).as_posix()
            found[inside[len(before) : len(inside) - len(after)]] = path
        return found

    def path(self, name: str) -> Path:
        """Return where one lies.

        Raises:
            UnknownNameError: if there is none of this name.
        """
        paths = self.paths()
        if name not in paths:
            raise unknown(self.kind, name, self.results, list(paths))
        return paths[name]

    def origin(self, name: str) -> Origin:
        """Return what made one.

        Raises:
            UserError: if there is none of this name, or no record tells.
        """
        return find_origin(self.results, self.path(name))

    def __getitem__(self, name: str) -> Value:
        """Read one."""
        return self.read(self.path(name))

    def __getattr__(self, name: str) -> Value:
        """Read one, whose name is such as Python allows."""
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the names; nothing is read."""
        return iter(self.paths())

    def __len__(self) -> int:
        """Count them."""
        return len(self.paths())

    def __contains__(self, name: object) -> bool:
        """Tell whether there is one of this name; it is not read."""
        return name in self.paths()

    def __dir__(self) -> list[str]:
        """Offer the names for completion."""
        return [*super().__dir__(), *(name for name in self if name.isidentifier())]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def __repr__(self) -> str:
        """Name them."""
        return f"{len(self)} × {self.kind} in {self.results}: {', '.join(self)}"
