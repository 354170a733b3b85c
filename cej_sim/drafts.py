"""Kernels as drafts: what other kernels call is not made into machine code of its own.

numba makes machine code of every kernel as soon as it is compiled, optimizes what that calls along with it, and does
both again in whatever calls it. Only Python needs the machine code of a function, and it calls the outermost ones. A
process that does nothing but compile therefore keeps the others as drafts, LLVM's code before it is optimized, and
each is optimized and made into machine code once: within the function that Python calls. That takes a third less.

Drafts are for processes that only compile. What they leave in the cache of the functions that Python calls is what
numba would have left there, apart from the order of its optimizations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import llvmlite.binding as llvm
from numba.core import codegen
from numba.core.registry import cpu_target

from cej_sim import compiled


class Draft(codegen.JITCodeLibrary):
    """Code that is optimized and made into machine code when Python asks for a function of it, if ever."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Begin an empty one."""
        super().__init__(*arguments, **options)
        self._is_draft = True

    def finalize(self) -> None:
        """Put together what it calls, too, and leave it at that."""
        for library in dict.fromkeys(self._linking_libraries):
            if hasattr(self, "_reload_init"):  # older versions of numba have none
                self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """The address of a function that this code defines; 0 where it does not."""
        self._ensure_finalized()
        if self._is_draft and any(one.name == name for one in self.get_defined_functions()):
            self._is_draft = False
            self._optimize_final_module()
            self._final_module.verify()
            self._finalize_final_module()
        return 0 if self._is_draft else super().get_pointer_to_function(name)

    def serialize_using_object_code(self) -> tuple[str, str, Any]:
        """What the cache holds of it."""
        if self._is_draft:
            return self.name, "draft", self._get_module_for_linking().as_bitcode()
        return super().serialize_using_object_code()

    @classmethod
    def _unserialize(cls, maker: Codegen, state: tuple[str, str, Any]) -> Self:
        name, kind, data = state
        if kind != "draft":
            found = super()._unserialize(maker, state)
            found._is_draft = False
            return found
        self = maker.create_library(name)
        self._final_module = self._shared_module = llvm.parse_bitcode(data)
        self._finalized = True
        return self


class Codegen(codegen.JITCPUCodegen):
    """Makes drafts."""

    _library_class = Draft

    def set_env(self, env_name: str, env: Any) -> None:
        """Tell machine code of its constants; a draft has none to tell."""
        if self._engine.is_symbol_defined(env_name):
            super().set_env(env_name, env)


def keep(folder: str | Path) -> None:
    """From now on, keep kernels that Python does not call as drafts, in a folder that other such processes share.

    To be called before anything is compiled.
    """
    cpu_target.target_context._internal_codegen = Codegen("cej_sim.drafts")
    compiled.keep_inner_kernels(Path(folder))
