"""What is said of each fault of an import, Chinese first."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.services.identity_rows import Fault

TEXTS: Mapping[str, tuple[str, str]] = {
    "NOTHING_GIVEN": (
        "没有可导入的内容",
        "there is nothing to import: organisations.csv, posts.csv, officers.csv or devices.csv",
    ),
    "FILE_UNKNOWN": ("不认识的文件名", "not organisations.csv, posts.csv, officers.csv or devices.csv"),
    "KIND_UNKNOWN": ("不认识的记录类别", "only organisations, posts, officers and devices are known"),
    "ENCODING": ("须为 UTF-8 或 GB18030 编码", "must be UTF-8 (with or without BOM) or GB18030"),
    "CSV": ("引号不配对或不是 CSV", "not CSV: a quote is not closed, or stands where it cannot"),
    "HEADING_MISSING": ("缺少标题行", "the heading line is missing"),
    "COLUMN_UNKNOWN": ("不认识的列名", "no such column"),
    "COLUMN_TWICE": ("列名重复", "the column is there twice"),
    "COLUMN_MISSING": ("缺少该列", "the column is missing"),
    "CELLS": ("单元格数与标题行不符", "not as many cells as the heading has"),
    "NOT_AN_OBJECT": ("须为 JSON 对象", "must be a JSON object"),
    "NOT_AN_ARRAY": ("须为 JSON 数组", "must be a JSON array"),
    "VALUE_TYPE": ("值的类型不对", "the value has the wrong type"),
    "MISSING": ("不得为空", "must not be empty"),
    "TOO_LONG": ("过长", "too long"),
    "UNREADABLE": ("含有不可读的字符(如 ? 或 □)", "holds characters nobody can read (a question mark or a box for a rare one)"),
    "CODE": (
        "代码须为大写字母、数字和下划线",
        "a code is capital letters, digits and underscores, and begins with a letter",
    ),
    "ORG_ID": ("机构代码须为大写字母、数字和连字符", "an organisation's code is capital letters, digits, - and _"),
    "LOGIN": ("登录名须为 2 至 64 位字母、数字和 . _ @ -", "a login is 2 to 64 letters, digits and . _ @ -"),
    "LOGIN_PERSONAL": (
        "登录名不得是身份号码或手机号,请用工号",
        "a login must not be an ID number or a phone number; use a staff number",
    ),
    "USCC": ("统一社会信用代码校验不通过(GB 32100)", "not a unified social credit code: form or check character (GB 32100)"),
    "JURISDICTION": ("行政区划须为 2、4 或 6 位代码(GB/T 2260)", "a jurisdiction is 2, 4 or 6 digits of GB/T 2260"),
    "JURISDICTION_MISSING": ("此类机关须有行政区划", "a body of this kind needs a jurisdiction"),
    "ID_NO": ("身份号码无效", "not an ID number: form, check digit or date"),
    "EXCEL_NUMBER": (
        "号码被 Excel 改成了数值,请将该列设为文本后重新导出",
        "Excel turned the number into a figure; make the column text and export again",
    ),
    "YES_NO": ("须为 是 或 否", "must be yes or no"),
    "DATE": ("日期须为 YYYY-MM-DD", "a date is YYYY-MM-DD"),
    "PERIOD": ("起须不晚于止", "it ends before it begins"),
    "KEYS": ("须为 JWK 集,只含公钥,各有 kid", "must be a JWK set of public keys, each with its own kid"),
    "TWICE": ("与前面一行重复", "the same as an earlier line"),
    "TAKEN": ("已属于另一记录", "already belongs to another record"),
    "NO_SUCH_ORGANISATION": ("没有这个机构", "there is no such organisation"),
    "NO_SUCH_POST": ("该机构没有这个岗位", "the organisation has no such post"),
    "NO_SUCH_OFFICER": ("没有这个经办人", "there is no such officer"),
    "PARENT_CIRCLE": ("上级机构循环", "the organisation would be above itself"),
    "PURPOSE_UNKNOWN": ("用途未登记", "no such purpose is registered"),
    "PURPOSE_KIND": ("此类机构不得使用该用途", "a body of this kind may not claim this purpose"),
    "DEVICE_ID": (
        "设备编号须为 1 至 64 位字母、数字和 . _ : -",
        "a device's id is 1 to 64 letters, digits and . _ : -",
    ),
    "DEVICE_KIND": ("设备类别不对", "must be WRISTBAND, PHONE, FINGERPRINT, VIDEO or TERMINAL"),
    "OWN_STANDING": (
        "不得更改本人的岗位、角色或机构,请由他人办理",
        "nobody changes their own posts, roles or organisation; somebody else must",
    ),
    "ORGANISATION_BEYOND": (
        "不是本机构或者下级机构,须由平台管理员办理",
        "neither your organisation nor one below it; a platform administrator must",
    ),
    "OWN_ORGANISATION": (
        "本机构的类别、辖区、用途、上级和启停由上级或者平台管理员办理",
        "an organisation's kind, place, purposes, parent and end are for those above it or a platform administrator",
    ),
    "KIND_BEYOND": (
        "本机构及下级没有这一类别的机构,须由平台管理员办理",
        "there is no organisation of this kind at or below yours; a platform administrator must",
    ),
    "JURISDICTION_BEYOND": ("超出本机构的行政区划", "outside your organisation's own jurisdiction"),
    "PURPOSE_BEYOND": ("本机构未登记该用途", "your own organisation is not registered for this purpose"),
    "PLATFORM_ROLE": (
        "该角色作用于整个平台,须由平台管理员授予",
        "this role counts for the whole platform; a platform administrator must give it",
    ),
    "DEVICE_HOLDER": ("设备只能绑定一人:经办人或当事人", "a device is bound to an officer or to a person, not to both"),
}  # fmt: skip


def worded(fault: Fault) -> str:
    """One line: "officers.csv:3:4 (id_no): 身份号码无效 not an ID number ..."."""
    zh, en = TEXTS[fault.code]
    place = ":".join([fault.file or "-", *(str(number) for number in (fault.line, fault.column) if number)])
    name = f" ({fault.name})" if fault.name else ""
    hint = ""
    if fault.hint:
        hint = f"; did you mean {fault.hint}?" if fault.code == "COLUMN_UNKNOWN" else f" ({fault.hint})"
    return f"{place}{name}: {zh} {en}{hint}"
