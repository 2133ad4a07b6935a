"""A sound manifest to break in one place at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.errors import ManifestInvalid
from adapters.manifest import Fault
from adapters.manifest_reader import read_manifests

KNOWN = {
    "residence": {
        "regNo": None,
        "address": None,
        "residenceType": frozenset({"WORK", "BUSINESS", "STUDY", "OTHER", "UNMAPPED"}),
        "startOn": None,
    },
    "correctionCase": {"caseNo": None, "executionAdmin": None, "level": frozenset({"STRICT", "LENIENT", "UNMAPPED"})},
}

SOUND = """\
[source]
code = "LGB"
title = { zh = "禅城区流管办", en = "Chancheng floating-population office" }
kind = "rest"
endpoint = "https://127.0.0.1:9101"

[source.auth]
style = "tif"
paasid = "yimen"
token = "env:LGB_TOKEN"

[source.limits]
timeout_s = 1.5
rate_per_s = 20
burst = 20

[source.hours]
open = [["05:00", "23:00"]]

[catalogue]
provider = { zh = "流管办", en = "office" }
items = { zh = "居住登记", en = "registrations" }
update_cycle = "DAILY"
share_class = "C"
condition = { zh = "社区矫正", en = "community correction" }

[[answers]]
noun = "residence"
by = ["idNo", "name"]
rank = 20
record_id = "djbh"
stale_after_s = 259200
probe = ["440606199003070017", "张三"]
subject = { id_no = "sfzh", name = "xm", birth_date = "" }
links = { caseNo = "ajbh" }

[answers.request]
mode = "key"
path = "/api"

[answers.fields]
regNo = "djbh"
address = { raw = "jzdz", clean = "address" }
residenceType = { raw = "jzsy", type = "code", codes = { "01" = "WORK", "02" = "BUSINESS" } }
startOn = { raw = "djrq", type = "date" }
"""

LAND = """\
[source]
code = "ZRZY"
title = { zh = "自然资源局", en = "natural resources" }
kind = "sql"
endpoint = "env:LAND_URL"

[catalogue]
provider = { zh = "自然资源局", en = "natural resources" }
items = { zh = "宗地", en = "parcels" }
update_cycle = "MONTHLY"
share_class = "U"

[[answers]]
noun = "landParcel"
by = ["idNo", "name"]
subject = { id_no = "sfzh", name = "xm" }
[answers.fields]
parcelNo = "zdh"
areaM2 = { raw = "mj", type = "float" }

[[answers]]
noun = "landParcel"
by = ["parcelNo"]
fields = { areaM2 = { raw = "mj_pf", type = "int" } }

[[nouns]]
name = "landParcel"
type = "LandParcel"
title = { zh = "宗地", en = "Land parcel" }
keys = [["parcelNo"]]
[nouns.fields]
parcelNo = { type = "String", title = { zh = "宗地号", en = "Parcel number" } }
areaM2 = { type = "Float", title = { zh = "面积", en = "Area" }, filterable = true }
[[nouns.links]]
on = "person"
name = "landParcels"
by = ["idNo", "name"]
title = { zh = "名下宗地", en = "Parcels this person holds" }
"""

Faults = Callable[..., list[Fault]]


@pytest.fixture
def faults_of(tmp_path: Path) -> Faults:
    """The faults of a directory with these files (name without .toml = text); [] when it can be used."""

    def read(**texts: str) -> list[Fault]:
        directory = tmp_path / "manifests"
        directory.mkdir(exist_ok=True)
        for name, text in texts.items():
            (directory / f"{name}.toml").write_text(text, encoding="utf-8")
        try:
            read_manifests(directory, KNOWN)
        except ManifestInvalid as invalid:
            return [fault for fault in invalid.faults if isinstance(fault, Fault)]
        return []

    return read


def line_of(text: str, words: str) -> int:
    """The one line of `text` that holds `words`."""
    lines = [number for number, line in enumerate(text.split("\n"), 1) if words in line]
    assert len(lines) == 1, (words, lines)
    return lines[0]
