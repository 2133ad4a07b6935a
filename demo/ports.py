"""Loopback ports: the usual one if it is free, otherwise another one, said plainly."""

from __future__ import annotations

from collections.abc import Callable, Collection

from demo.serving import bind


def free_port(
    wanted: int, taken: set[int], say: Callable[[str], None], who: str, *, promised: Collection[int] = ()
) -> int:
    """`wanted`, or the next free port above it that is `promised` to nobody; what it picks joins `taken`.

    `say` hears when it had to move.
    """
    port = wanted
    while port in taken or (port != wanted and port in promised) or not _is_free(port):
        port += 1
        if port > wanted + 500:
            raise OSError(f"no free port between {wanted} and {port}")
    if port != wanted:
        say(f"端口 {wanted} 已被占用, {who} 改用 {port} / port {wanted} is in use, {who} takes {port}")
    taken.add(port)
    return port


def _is_free(port: int) -> bool:
    try:
        bind(port).close()
    except OSError:
        return False
    return True
