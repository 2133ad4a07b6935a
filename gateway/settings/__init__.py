"""What an operator may set; the only reader of the process's environment."""

from __future__ import annotations

from gateway.settings.credentials import CredentialSettings
from gateway.settings.described import Described
from gateway.settings.limits import Limits
from gateway.settings.manifests import manifests_dir
from gateway.settings.settings import Settings, describe, environment
from gateway.settings.showing import shown

__all__ = ["CredentialSettings", "Described", "Limits", "Settings", "describe", "environment", "manifests_dir", "shown"]
