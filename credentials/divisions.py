"""Names of administrative divisions (GB/T 2260), so that nobody has to read a code: 440604 is 广东省佛山市禅城区."""

from __future__ import annotations

import re
from functools import lru_cache

from stdnum import numdb

_CODE = re.compile(r"[1-9][0-9]{5}")
_SPAN = re.compile(r"\[[0-9]*-[0-9]*\]")
_NO_PLACE = re.compile(r"市辖区|县|.*直辖县级行政(?:单位|区划)")
"""Steps of the code that are no place of their own: under 北京市, or between a province and a city it governs itself."""


@lru_cache(maxsize=4096)
def division_name(code: str) -> str:
    """The whole name down to the county. Of a code no table has: what is known of it, with the code beside it; never nothing."""
    if not _CODE.fullmatch(code):
        return code
    province = _named(code[:2] + "0000")
    steps = [province, *(_named(one) for one in dict.fromkeys((code[:4] + "00", code)) if one != code[:2] + "0000")]
    known = "".join(dict.fromkeys(one for one in steps if one and not _NO_PLACE.fullmatch(one)))
    return known if steps[-1] else f"{known}（{code}）" if known else code


def _named(code: str) -> str:
    """This very step, as it is called now; one that is no more by its last name."""
    found = [props["county"] for part, props in numdb.get("cn/loc").info(code) if "county" in props]
    return _SPAN.sub("", found[0].split(",")[-1]).strip() if found else ""
