"""The simulated departments. A new one adds its line to TABLE and keeps the contract in demo/department.py."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from starlette.applications import Starlette

from demo.admin import with_admin
from demo.department import Department, Options, Profile

TABLE: dict[str, str] = {
    "GA_POP": "demo.departments.ga_pop",
    "LGB": "demo.departments.lgb",
    "SB": "demo.departments.sb",
    "GS": "demo.departments.gs",
    "FY": "demo.departments.fy",
    "GDSJ": "demo.departments.gdsj",
    "JY": "demo.departments.jy",
    "AZBJ": "demo.departments.azbj",
    "ZM": "demo.departments.zm",
    "FA": "demo.departments.fa",
}


def profile_of(code: str) -> Profile:
    """Raises KeyError for a code nobody has, ModuleNotFoundError for a department not written yet."""
    return cast(Profile, import_module(TABLE[code]).PROFILE)


def open_department(code: str, options: Options) -> tuple[Department, Starlette]:
    """The department and its whole application, admin routes included; errors as `profile_of`."""
    module = import_module(TABLE[code])
    department = Department(module.PROFILE, options)
    build = cast(Callable[[Department, Options], Starlette], module.build)
    return department, with_admin(build(department, options), department)
