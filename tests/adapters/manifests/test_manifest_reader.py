from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import pytest

from adapters.errors import ManifestInvalid
from adapters.manifest import ShareClass, Subject
from adapters.manifest_reader import read_manifests
from tests.adapters.manifests.conftest import KNOWN, LAND, SOUND, Faults, line_of


def written(tmp_path: Path, **texts: str | bytes) -> Path:
    for name, text in texts.items():
        content = text.encode() if isinstance(text, str) else text
        (tmp_path / f"{name}.toml").write_bytes(content)
    return tmp_path


def test_a_sound_manifest_becomes_frozen_values(tmp_path: Path) -> None:
    found = read_manifests(written(tmp_path, lgb=SOUND, zrzy=LAND), KNOWN)
    lgb, land = found.sources
    assert (lgb.code, lgb.kind, lgb.file) == ("LGB", "rest", "lgb.toml")
    assert lgb.catalogue.share_class is ShareClass.C
    assert lgb.limits.rate_per_s == 20
    assert lgb.hours.open == (("05:00", "23:00"),)
    (answer,) = lgb.answers
    assert answer.subject == Subject("sfzh", "xm", "")
    assert answer.by == ("idNo", "name")
    assert answer.probe == ("440606199003070017", "张三")
    assert [(field.name, field.raw, field.type) for field in answer.fields] == [
        ("regNo", "djbh", "text"),
        ("address", "jzdz", "text"),
        ("residenceType", "jzsy", "code"),
        ("startOn", "djrq", "date"),
    ]
    assert answer.fields[2].codes == {"01": "WORK", "02": "BUSINESS"}
    assert land.nouns[0].links[0].by == ("idNo", "name")
    with pytest.raises(TypeError):
        answer.request["mode"] = "batch"  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        lgb.code = "X"  # type: ignore[misc]


def test_the_version_follows_the_contents_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    first = read_manifests(written(tmp_path / "a", lgb=SOUND, zrzy=LAND), KNOWN)
    renamed = read_manifests(written(tmp_path / "b", a=LAND, b=SOUND), KNOWN)
    changed = read_manifests(written(tmp_path / "c", lgb=SOUND + "# a word\n", zrzy=LAND), KNOWN)
    assert first.version == renamed.version
    assert first.version != changed.version


def test_an_empty_directory_is_an_empty_set(tmp_path: Path) -> None:
    assert read_manifests(tmp_path, KNOWN).sources == ()


def test_a_missing_directory_is_said(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid, match="nowhere: the manifests' directory: No such file"):
        read_manifests(tmp_path / "nowhere", KNOWN)


# Each: what is changed in SOUND, words on the line the fault must name ("" = the changed words), words of the fault.
BREAKS = [
    ('code = "LGB"', 'code = "lgb"', "", "capital letters"),
    ('kind = "rest"', 'kind = "resst"', "", 'did you mean "rest"'),
    ('endpoint = "https://127.0.0.1:9101"', 'endpiont = "https://127.0.0.1:9101"', "", "unknown key"),
    ('endpoint = "https://127.0.0.1:9101"', 'endpiont = "https://127.0.0.1:9101"', "[source]", "endpoint is missing"),
    ('endpoint = "https://127.0.0.1:9101"', 'endpoint = "http://127.0.0.1:9101"', "", "allow_plain_http"),
    ('endpoint = "https://127.0.0.1:9101"', 'endpoint = "https://u:pw@127.0.0.1:9101"', "", "password"),
    ('endpoint = "https://127.0.0.1:9101"', 'endpoint = "ftp://127.0.0.1"', "", "http(s) URL"),
    ('endpoint = "https://127.0.0.1:9101"', 'endpoint = "https://127.0.0.1:99999"', "", "not a URL"),
    ('endpoint = "https://127.0.0.1:9101"', "endpoint = 5", "", "must be a text"),
    ('token = "env:LGB_TOKEN"', 'token = "s3cr3t"', "", "never the secret itself"),
    ('token = "env:LGB_TOKEN"', "token = 123456", "", "never the secret itself"),
    ('token = "env:LGB_TOKEN"', 'whatever = "s3cr3t"', "", "never the secret itself"),
    ('token = "env:LGB_TOKEN"', 'token = "env:"', "", "never the secret itself"),
    ("timeout_s = 1.5", "timeout_s = true", "", "must be a number"),
    ("timeout_s = 1.5", "timeout_s = inf", "", "must lie between"),
    ("timeout_s = 1.5", "timout_s = 1.5", "", 'did you mean "timeout_s"'),
    ("burst = 20", "burst = 2.5", "", "must be a whole number"),
    ('open = [["05:00", "23:00"]]', 'open = [["05:00", "25:00"]]', "", "not times"),
    ('open = [["05:00", "23:00"]]', 'open = [\n["05:00", "06:00"],\n["07:00"]]', '["07:00"]', "must be two times"),
    ('open = [["05:00", "23:00"]]', 'open = "always"', "", "must be a list of spans"),
    ('open = [["05:00", "23:00"]]', 'timezone = "Asia/Foshan"', "", "no time zone"),
    ('open = [["05:00", "23:00"]]', 'timezone = "../../etc/passwd"', "", "no time zone"),
    ('update_cycle = "DAILY"', 'update_cycle = "DAYLY"', "", 'did you mean "DAILY"'),
    ('condition = { zh = "社区矫正", en = "community correction" }', "", "share_class", "needs a condition"),
    ('share_class = "C"', 'share_class = "N"', "", "needs a legal_ground"),
    ('share_class = "C"', 'share_class = "X"', "", "known: C, N, U"),
    ('items = { zh = "居住登记", en = "registrations" }', 'items = { zh = "居住登记" }', "", "en is missing"),
    (
        'items = { zh = "居住登记", en = "registrations" }',
        'items = "registrations"',
        "",
        'items = { zh = "...", en = "..." }',
    ),
    ('items = { zh = "居住登记", en = "registrations" }', 'items = { zh = " ", en = "x" }', "", "zh is empty"),
    ('noun = "residence"', 'noun = "resident"', "", 'did you mean "residence"'),
    ('by = ["idNo", "name"]', 'by = [\n"idNo",\n"nmae"]', '"nmae"', 'did you mean "name"'),
    ('by = ["idNo", "name"]', 'by = ["idNo", 5]', "", "must hold texts"),
    ('by = ["idNo", "name"]', 'by = ["idNo"]', "probe", "probe must have 1 parts"),
    ("rank = 20", 'rank = "20"', "", "must be a whole number"),
    (
        'subject = { id_no = "sfzh", name = "xm", birth_date = "" }',
        'subject = { idno = "x" }',
        "",
        'did you mean "id_no"',
    ),
    ('subject = { id_no = "sfzh", name = "xm", birth_date = "" }', "subject = {}", "", "neither id_no nor name"),
    ('links = { caseNo = "ajbh" }', 'links = { casNo = "ajbh" }', "", 'did you mean "caseNo"'),
    ('path = "/api"', 'query = { token = "s3cr3t" }', "", "never the secret itself"),
    ('regNo = "djbh"', 'regNumber = "djbh"', "", "residence has no field"),
    ('regNo = "djbh"', "regNo = 5", "", "raw field's name"),
    ('regNo = "djbh"', 'regNo = { raw = "djbh", typ = "text" }', "", 'did you mean "type"'),
    ('regNo = "djbh"', 'regNo = { raw = "djbh", type = "txt" }', "", 'did you mean "text"'),
    ('regNo = "djbh"', 'regNo = { raw = "djbh", codes = { "1" = "A" } }', "", "codes have no meaning"),
    ('regNo = "djbh"', 'regNo = { raw = "djbh", type = "code" }', "", "has no codes|but no codes"),
    ('"02" = "BUSINESS"', '"02" = "BUSINES"', "", 'did you mean "BUSINESS"'),
    ('type = "code", codes = { "01" = "WORK", "02" = "BUSINESS" }', 'type = "text"', "residenceType", "is a code"),
    ('clean = "address"', 'clean = "adress"', "", 'did you mean "address"'),
    ("[answers.request]", "[answers.requests]", "", "unknown key"),
    ("[catalogue]", "[catalog]", "", "unknown key"),
    ("[source.auth]", "[source.tls]\nca = '/etc/ca.pem'\n[source.auth]", "ca.pem", "PEM file"),
    ("[source.auth]", "[source.tls]\ncert = 'file:a.pem'\n[source.auth]", "a.pem", "belong together"),
    ("[source.auth]", 'allow_hosts = [\n"a.b:80",\n"NO"]\n[source.auth]', '"NO"', "host:port"),
    ('mode = "key"', 'mode = "key', "", "not TOML"),
    ('mode = "key"', 'mode = "key"\nmode = "key"', None, "not TOML"),
]


@pytest.mark.parametrize(("sound", "broken", "where", "words"), BREAKS, ids=[broken[:40] for _, broken, _, _ in BREAKS])
def test_a_fault_names_its_line(faults_of: Faults, sound: str, broken: str, where: str | None, words: str) -> None:
    assert SOUND.count(sound) == 1
    text = SOUND.replace(sound, broken)
    faults = faults_of(lgb=text)
    alternatives = words.split("|")
    matching = [fault for fault in faults if any(word in fault.message for word in alternatives)]
    assert matching, faults
    if where is not None:
        wanted = line_of(text, where or broken.split("\n")[0])
        assert wanted in [fault.line for fault in matching], (wanted, faults)
    assert "s3cr3t" not in str(faults)
    assert "pw@" not in str(faults)


def test_all_faults_come_at_once(faults_of: Faults) -> None:
    text = SOUND
    for sound, broken in (
        ('kind = "rest"', 'kind = "fax"'),
        ("timeout_s = 1.5", "timeout_s = -1"),
        ('share_class = "C"', 'share_class = "N"'),
        ('by = ["idNo", "name"]', 'by = ["idNo", "nam"]'),
        ("rank = 20", "rank = -3"),
        ('regNo = "djbh"', 'regNumber = "djbh"\nregNo = "djbh"'),
        ('"02" = "BUSINESS"', '"02" = "SHOP"'),
        ('type = "date"', 'type = "dates"'),
        ('token = "env:LGB_TOKEN"', 'token = "inline"'),
        ('update_cycle = "DAILY"', 'update_cycle = "HOURLY"'),
    ):
        text = text.replace(sound, broken)
    faults = faults_of(lgb=text, other="not = [toml")
    assert len([fault for fault in faults if fault.file == "lgb.toml"]) == 10, "\n".join(map(str, faults))
    assert [fault.line for fault in faults if fault.file == "lgb.toml"] == sorted(
        fault.line for fault in faults if fault.file == "lgb.toml"
    )
    assert [fault.file for fault in faults if fault.message.startswith("not TOML")] == ["other.toml"]


def test_two_owners(faults_of: Faults) -> None:
    other = LAND.replace('"ZRZY"', '"ZRZY2"')
    messages = [(fault.file, fault.line, fault.message) for fault in faults_of(a=LAND, b=other)]
    owners = [one for one in messages if "two owners" in one[2]]
    assert owners == [("b.toml", line_of(other, 'name = "landParcel"'), owners[0][2])]
    assert any("type LandParcel is taken" in message for _, _, message in messages)
    assert any("person.landParcels is taken" in message for _, _, message in messages)
    assert any("has rank 100" in message for _, _, message in messages)


def test_a_built_in_noun_cannot_be_declared(faults_of: Faults) -> None:
    text = LAND.replace('name = "landParcel"', 'name = "residence"').replace(
        'noun = "landParcel"', 'noun = "residence"'
    )
    assert any("built-in noun and cannot" in fault.message for fault in faults_of(land=text))


def test_the_same_code_twice(faults_of: Faults) -> None:
    faults = faults_of(a=SOUND, b=SOUND.replace("rank = 20", "rank = 30"))
    assert [(fault.file, fault.line) for fault in faults] == [("b.toml", 2)]
    assert "a.toml" in faults[0].message


def test_one_question_answered_twice_by_one_source(faults_of: Faults) -> None:
    twice = SOUND + SOUND[SOUND.index("[[answers]]") :]
    faults = faults_of(a=twice)
    assert [fault.line for fault in faults] == [twice.split("\n").index('noun = "residence"', 30) + 1]
    assert "answered twice" in faults[0].message


def test_two_sources_of_one_field_need_an_order(faults_of: Faults) -> None:
    other = SOUND.replace('"LGB"', '"GA"')
    (fault,) = faults_of(a=SOUND, b=other)
    assert (fault.file, fault.line) == ("b.toml", line_of(other, "rank = 20"))
    field = other.replace("rank = 20", "rank = 10").replace('type = "date"', 'type = "date", rank = 20')
    (fault,) = faults_of(a=SOUND, b=field)
    assert (fault.file, fault.line) == ("b.toml", line_of(field, "startOn"))
    assert faults_of(a=SOUND, b=other.replace("rank = 20", "rank = 10")) == []


@pytest.mark.parametrize(
    ("sound", "broken", "words"),
    [
        ('on = "person"', 'on = "persn"', 'did you mean "person"'),
        (
            'name = "landParcels"\nby = ["idNo", "name"]',
            'name = "landParcels"\nby = ["idNo", "nam"]',
            'did you mean "name"',
        ),
        (
            'name = "landParcels"\nby = ["idNo", "name"]',
            'name = "landParcels"\nby = ["idNo"]',
            "answers landParcel by idNo",
        ),
        ('by = ["parcelNo"]', 'by = ["idNo"]', "answers landParcel by parcelNo"),
        ('subject = { id_no = "sfzh", name = "xm" }\n', "", "has no subject"),
        ('type = "Float"', 'type = "Flaot"', 'did you mean "Float"'),
        ('{ raw = "mj", type = "float" }', '"mj"', "declared Float"),
        ('parcelNo = "zdh"', 'parcelNr = "zdh"', 'did you mean "parcelNo"'),
        ('keys = [["parcelNo"]]', 'keys = [["parcel"]]', "is no field"),
        ('keys = [["parcelNo"]]', "keys = []", "list of key sets"),
        ('parcelNo = { type = "String"', 'asOf = { type = "String"', "every record has its own asOf"),
        ('name = "landParcel"', 'name = "Land Parcel"', "lowerCamel"),
        ('type = "LandParcel"', 'type = "landParcel"', "UpperCamel"),
        ('type = "LandParcel"', 'type = "Residence"', "taken by the built-in noun"),
        ('name = "landParcels"', 'name = "residence"', "taken by a built-in noun"),
    ],
)
def test_a_declared_noun_is_held_to_the_same(faults_of: Faults, sound: str, broken: str, words: str) -> None:
    assert LAND.count(sound) == 1
    text = LAND.replace(sound, broken)
    faults = [fault for fault in faults_of(land=text) if words in fault.message]
    assert faults
    # Where the fault is told: at the changed words, or where they are missed.
    wanted = {
        "answers landParcel by parcelNo": 'keys = [["parcelNo"]]',
        "has no subject": 'noun = "landParcel"\nby = ["idNo", "name"]',
    }.get(words, broken.split("\n")[-1])
    line = text[: text.index(wanted)].count("\n") + wanted.count("\n") + 1
    assert faults[0].line == line


@pytest.mark.parametrize(
    ("sound", "broken"),
    [
        ('{ raw = "mj", type = "float" }', '{ raw = "mj", type = "decimal" }'),
        ('type = "Float"', 'type = "Decimal"'),
        ('title = { zh = "宗地", en = "Land parcel" }', 'title = "宗地"'),
    ],
)
def test_one_mistake_is_one_fault(faults_of: Faults, sound: str, broken: str) -> None:
    assert LAND.count(sound) == 1
    (fault,) = faults_of(land=LAND.replace(sound, broken))
    assert fault.line == line_of(LAND, sound)


def test_a_thing_needs_no_subject_and_another_yimen_matches_itself(faults_of: Faults) -> None:
    neighbour = SOUND.replace('kind = "rest"', 'kind = "graphql"').replace("subject =", "# subject =")
    said = neighbour.replace('mode = "key"', 'state = "person.residence.state"')
    assert [fault.line for fault in faults_of(sd=neighbour)] == [line_of(neighbour, "by =")]
    assert faults_of(sd=said) == []


def test_a_link_needs_the_other_noun_to_offer_its_keys(faults_of: Faults) -> None:
    text = LAND.replace('on = "person"', 'on = "residence"')
    messages = [fault.message for fault in faults_of(lgb=SOUND, land=text)]
    assert 'residence has no link "idNo"; known: caseNo' in messages
    offering = SOUND.replace("links = {", 'links = { idNo = "sfzh", name = "xm",')
    assert faults_of(lgb=offering, land=text) == []


def test_a_declared_noun_is_sound(faults_of: Faults) -> None:
    assert faults_of(lgb=SOUND, land=LAND) == []


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"a = 1\nb = \xff\n", 2, "not UTF-8"),
        (b"a = 1\n\nb = '\0'\n", 3, "NUL"),
        (b"# " + b"x" * (1 << 20), 1, "1 MiB"),
        (b"a = 1\nb = '" + b"x" * 5000 + b"'\n", 2, "longer than"),
        (b"x = 1\n" + b"a." * 500 + b"b = 1\n", 2, "more than 16 parts"),
        (b"x = 1\n[" + b"a." * 500 + b"b]\n", 2, "more than 16 parts"),
        (b"a = " + b"[" * 1500 + b"]" * 1500, 1, "nested"),
        (b"a = " + b"[" * 100 + b"]" * 100, 1, "nested deeper than 32"),
        (b"a = 0x" + b"f" * 4000, 1, "missing"),
        (b"a = 1" + b"0" * 4090, 1, ""),
        (b"", 1, "source is missing"),
        (b"\xef\xbb\xbf[source]\n", 1, "code is missing"),
        (b"source = 1\ncatalogue = []\nanswers = [1]\nnouns = {}\n", 1, "must be a table"),
    ],
)
def test_hostile_files_are_refused_quickly(tmp_path: Path, content: bytes, line: int, words: str) -> None:
    began = time.monotonic()
    with pytest.raises(ManifestInvalid) as caught:
        read_manifests(written(tmp_path, x=content), KNOWN)
    assert time.monotonic() - began < 3
    assert any(f"x.toml:{line}: " in str(fault) and words in str(fault) for fault in caught.value.faults), caught.value
    assert all(len(str(fault)) < 500 for fault in caught.value.faults)


def test_a_megabyte_of_keys_is_bounded(tmp_path: Path) -> None:
    deep = b"".join(b"a%d = [%s]\n" % (n, b"{b.c.d.e.f.g.h.i.j.k = 1}," * 60) for n in range(600))
    began = time.monotonic()
    with pytest.raises(ManifestInvalid):
        read_manifests(written(tmp_path, x=deep[: 1 << 20].rsplit(b"\n", 1)[0]), KNOWN)
    assert time.monotonic() - began < 20


def test_a_link_out_of_the_directory_is_not_followed(tmp_path: Path) -> None:
    outside = written(tmp_path, outside=SOUND) / "outside.toml"
    directory = tmp_path / "manifests"
    directory.mkdir()
    (directory / "lgb.toml").symlink_to(outside)
    (directory / "loop.toml").symlink_to(directory / "loop.toml")
    os.mkfifo(directory / "fifo.toml")
    (directory / "dir.toml").mkdir()
    (directory / ".hidden.toml").write_text("not toml")
    with pytest.raises(ManifestInvalid) as caught:
        read_manifests(directory, KNOWN)
    told = sorted(str(fault) for fault in caught.value.faults)
    assert [text.split(":")[0] for text in told] == ["dir.toml", "fifo.toml", "lgb.toml", "loop.toml"]
    assert "outside the manifests' directory" in told[2]


def test_a_link_within_the_directory_is(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()  # how Kubernetes mounts a config map
    written(tmp_path / "..data", lgb=SOUND)
    (tmp_path / "lgb.toml").symlink_to(tmp_path / "..data" / "lgb.toml")
    assert [source.code for source in read_manifests(tmp_path, KNOWN).sources] == ["LGB"]
