"""Names of a package that are imported on first use, from one table."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["lazy_import"]


def lazy_import(
    namespace: dict[str, Any], names: Mapping[str, Iterable[str]], *, submodules: Iterable[str] = ()
) -> None:
    """Define the public names of a package, each imported when it is first used.

    Sets `__all__`, `__getattr__` and `__dir__` in the package. A type checker sees none of them: it needs an import of
    the same names under `if TYPE_CHECKING`, each as itself (`from a.b import Name as Name`), so that it knows the
    types and finds misspelt ones. tests/test_exports.py compares the two.

    Args:
        namespace: `globals()` of the package.
        names: module -> the names to take from it; these become `__all__`.
        submodules: modules of the package that are attributes of it without having been imported. They are not in
            `__all__`, because `from package import *` would load them.
    """
    package = namespace["__name__"]
    homes = {name: module for module, names_of_module in names.items() for name in names_of_module}
    public = sorted(homes)
    modules = frozenset(submodules)

    def find(name: str) -> Any:
        if name in homes:
            value = getattr(import_module(homes[name]), name)
        elif name in modules:
            try:
                value = import_module(f"{package}.{name}")
            except ImportError as error:
                # What it needs is not installed. Not an ImportError, so that help() passes over it; an import
                # statement tries again and raises the original.
                raise AttributeError(f"module {package!r} has no attribute {name!r}: {error}") from error
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        # Found without a call from now on.
        namespace[name] = value
        return value

    def list_names() -> list[str]:
        special = [name for name in namespace if name.startswith("__") and name.endswith("__")]
        return sorted({*special, *public, *modules})

    namespace.update(__all__=public, __getattr__=find, __dir__=list_names)
