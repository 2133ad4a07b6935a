"""References to credentials ("env:NAME", "file:PATH") and what they stand for. No value is ever shown in a text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from adapters.errors import AdapterError

_FILE_CAP = 64 * 1024


class SecretMissing(AdapterError):
    """A reference leads nowhere. The message names the reference, never a value."""

    def __init__(self, reference: str, reason: str) -> None:
        super().__init__(f"{reference}: {reason}")
        self.reference = reference
        self.reason = reason


def is_reference(text: str) -> bool:
    return text.startswith(("env:", "file:")) and len(text) > 5


class Secrets:
    """Resolves references; `environ` is handed in, since only gateway/settings.py reads the real one.

    A relative "file:" path starts at `base_dir`, the manifests' directory.
    """

    def __init__(self, environ: Mapping[str, str], base_dir: Path) -> None:
        self._environ, self._base_dir = environ, base_dir

    def __repr__(self) -> str:
        return "Secrets()"

    def __call__(self, reference: str) -> str:
        """The value; of a file, its text without one final line break. Raises SecretMissing, also for "" or no text."""
        kind, _, rest = reference.partition(":")
        if kind == "env" and rest:
            value = self._environ.get(rest, "")
        elif kind == "file" and rest:
            value = self._read(reference)
        else:
            # The text may be the secret itself, written inline by mistake: it is not repeated.
            raise SecretMissing("a credential", 'is not a reference; write "env:NAME" or "file:PATH"')
        if not value:
            raise SecretMissing(reference, "is not set" if kind == "env" else "is empty")
        return value

    def plain_or_reference(self, text: str) -> str:
        """`text` itself unless it is a reference; for entries such as `endpoint` that may be either."""
        return self(text) if is_reference(text) else text

    def path(self, reference: str) -> Path:
        """The absolute path a "file:" reference names, for users that open the file themselves (TLS)."""
        kind, _, rest = reference.partition(":")
        if kind != "file" or not rest:
            raise SecretMissing("a file", 'is not a reference; write "file:PATH"')
        path = self._base_dir / rest
        if not path.is_file():
            raise SecretMissing(reference, "no such file")
        return path.absolute()

    def _read(self, reference: str) -> str:
        path = self.path(reference)
        try:
            with path.open("rb") as file:
                content = file.read(_FILE_CAP + 1)
        except OSError as error:
            raise SecretMissing(reference, error.strerror or "cannot be read") from None
        if len(content) > _FILE_CAP:
            raise SecretMissing(reference, "is larger than 64 KiB")
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            raise SecretMissing(reference, "is not UTF-8 text") from None
        return text.removesuffix("\n").removesuffix("\r")
