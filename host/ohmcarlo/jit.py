"""Compiled functions, cached on disk under a key that covers the whole numeric core.

Numba notices a change in the file of a cached function, but not in the files of the functions that
it calls: after an update, it could load old machine code for new sources. Here the cache folder
carries a digest of every source file that compiled code comes from.

Numba is imported at the first call of a compiled function: commands that compute nothing start
without it. Compiled functions release Python's global lock while they run, so that other threads
continue.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

# compiled code takes Python and numpy integers alike, so its signatures are not checked
Function = Callable[..., Any]
log = logging.getLogger(__name__)
PACKAGE = Path(__file__).parent
LOCK = "lock"
"""File of a cache folder that a process locks while it compiles or loads."""
COMPILED_FOLDERS = ("spec", "array", "golden")
_entries = threading.RLock()  # numba's folder of machine code is a setting of the process


@functools.cache
def cache_folder() -> str:
    """Where machine code for exactly these sources is kept."""
    import numba

    sources = [path for folder in COMPILED_FOLDERS for path in (PACKAGE / folder).rglob("*.py")]
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted([*sources, Path(__file__)]):  # the options of compilation are in this file
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return str(Path(root) / "ohmcarlo" / "compiled" / digest.hexdigest()[:16])


class Compiled:
    """A function with two machine-code versions, each compiled when it is first needed.

    Attributes
    ----------
    py_func : callable
        The function in Python.
    allocates : bool
        Whether the function creates arrays. If not, its machine code counts no references to
        arrays: it is smaller and faster.
    inline : bool
        Whether LLVM always copies the function into its compiled callers.
    """

    def __init__(
        self, function: Function, *, allocates: bool = False, inline: bool = False
    ) -> None:
        functools.update_wrapper(self, function)
        self.py_func = function
        self.allocates = allocates
        self.inline = inline

    @functools.cached_property
    def entry(self) -> Any:
        """Numba's dispatcher for calls from Python; its machine code is cached on disk."""
        import numba

        _log_compilations()
        with _entries:
            saved = numba.config.CACHE_DIR
            if not saved:  # a user's own NUMBA_CACHE_DIR comes first, split by the same key
                numba.config.CACHE_DIR = cache_folder()
            else:
                numba.config.CACHE_DIR = str(Path(saved) / Path(cache_folder()).name)
            try:
                return _one_at_a_time(self._dispatcher(cache=True, nogil=True))
            finally:
                numba.config.CACHE_DIR = saved

    @functools.cached_property
    def inner(self) -> Any:
        """Numba's dispatcher for calls from compiled code, without the interface to Python.

        The cached machine code of the caller contains it. A small function that is copied into its
        callers has a version for each constant, which makes loops over points faster. All other
        functions have one version for all constants of a type, which makes compilation faster.
        """
        from numba.core.types.misc import unliteral

        dispatcher = self._dispatcher(no_cpython_wrapper=True, forceinline=self.inline)
        if self.inline:
            return dispatcher
        template_of = dispatcher.get_call_template
        dispatcher.get_call_template = lambda arguments, keywords: template_of(
            tuple(unliteral(a) for a in arguments), keywords
        )
        return dispatcher

    def _dispatcher(self, **options: bool) -> Any:
        import numba

        return numba.njit(no_cfunc_wrapper=True, _nrt=self.allocates, **options)(self.py_func)

    @property
    def _numba_type_(self) -> Any:
        """The type that compiled callers see."""
        return self.inner._numba_type_

    def __call__(self, *arguments: Any) -> Any:
        return self.entry(*arguments)

    def __reduce__(self) -> str:
        return self.py_func.__qualname__


def _one_at_a_time(dispatcher: Any) -> Any:
    """Let no two processes compile for one cache at once: the second loads what the first made.

    Without this, each worker of a sweep compiles the same functions in the first minute.
    """
    if not hasattr(dispatcher, "compile"):  # NUMBA_DISABLE_JIT leaves the function in Python
        return dispatcher
    compile_or_load = dispatcher.compile

    @functools.wraps(compile_or_load)
    def alone(*arguments: Any) -> Any:
        with _locked(Path(cache_folder()) / LOCK):
            return compile_or_load(*arguments)

    dispatcher.compile = alone
    return dispatcher


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait for a lock between processes, where the file system has locks."""
    with ExitStack() as stack:
        with suppress(OSError, ImportError):
            import fcntl

            path.parent.mkdir(parents=True, exist_ok=True)
            fcntl.flock(stack.enter_context(path.open("w")), fcntl.LOCK_EX)
        yield


def compiled(function: Function) -> Function:
    """Compile ``function`` to machine code at its first call.

    It must neither create arrays nor call a function that returns a new one.
    """
    return Compiled(function)


def inlined(function: Function) -> Function:
    """Like ``compiled``, for a small function that runs once per data point."""
    return Compiled(function, inline=True)


def allocating(function: Function) -> Function:
    """Like ``compiled``, for a function that creates arrays."""
    return Compiled(function, allocates=True)


@functools.cache
def _log_compilations() -> None:
    """From now on, the log has the time of every function that is compiled for a call."""
    from numba.core import event

    class Times(event.Listener):
        began: ClassVar[list[float]] = []

        def on_start(self, _: Any) -> None:
            self.began.append(time.perf_counter())

        def on_end(self, found: Any) -> None:
            seconds, name = time.perf_counter() - self.began.pop(), found.data["dispatcher"]
            if not self.began:  # the functions that it calls are compiled inside
                log.debug("compiled %s in %.2f s", name.py_func.__name__, seconds)

    log.debug("machine code is kept in %s", cache_folder())
    event.register("numba:compile", Times())


@contextmanager
def before_compilation(announce: Callable[[], None]) -> Iterator[None]:
    """Call ``announce`` before the first compilation inside. A load from the cache is not one."""
    from numba.core import event

    class First(event.Listener):
        waiting = True

        def on_start(self, _: Any) -> None:
            if self.waiting:
                self.waiting = False
                announce()

        def on_end(self, _: Any) -> None: ...

    with event.install_listener("numba:compile", First()):
        yield
