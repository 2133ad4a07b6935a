"""Those of the cast whom a prison hands over: parole, and temporary service outside prison."""

from __future__ import annotations

from datetime import date

from demo.facts import CaseFact, HandoverFact, JudgmentFact, MonitoringFact, Person, PoliceAddress


def zhao_qiang() -> Person:
    case_no = "(2026)粤06刑更301号"
    dxbh = "4406042026030010"
    return Person(
        id_no="440604196501010010",
        name="赵强",
        sex="MALE",
        birth_date=date(1965, 1, 1),
        key="zhao-qiang",
        note="监狱交接文件是15位身份证号; 假释; 定位令已到期 / 15-digit ID in the prison drop; parole; expired monitoring order",
        hukou_address="广东省佛山市禅城区祖庙街道莲花路21号",
        phone="13800000001",
        police_address=PoliceAddress(
            admin="440604", address="广东省佛山市禅城区祖庙街道莲花路21号", since=date(2026, 3, 12)
        ),
        cases=(
            CaseFact(
                dxbh=dxbh,
                case_no=case_no,
                case_type="PAROLE",
                decision_doc_no=case_no + "裁定书",
                effective_on=date(2026, 3, 7),
                start_on=date(2026, 3, 10),
                end_on=date(2027, 5, 31),
                crime_category="ECONOMIC_ORDER",
                charge="合同诈骗罪",
                penalty="FIXED_TERM",
                penalty_months=60,
                level=None,
            ),
        ),
        judgments=(
            JudgmentFact(
                doc_no=case_no + "裁定书",
                doc_type="RULING",
                title="假释裁定书",
                issuer="佛山市中级人民法院",
                case_no=case_no,
                issued_on=date(2026, 3, 2),
                effective_on=date(2026, 3, 7),
            ),
        ),
        monitoring_orders=(
            MonitoringFact(
                order_no="禅社矫监〔2026〕3号",
                dxbh=dxbh,
                legal_ground=4,
                approved_by="佛山市禅城区司法局",
                from_on=date(2026, 8, 1),
                to_on=date(2026, 10, 31),
                device_id="860400000000010",
            ),
        ),
        handover=HandoverFact(
            prison_no="4419980321",
            prison="广东省佛山监狱",
            id_as_written="440604650101001",
            decided_on=date(2026, 3, 7),
            decision_doc_no=case_no + "裁定书",
            case_no=case_no,
            case_type="PAROLE",
            start_on=date(2026, 3, 10),
            end_on=date(2027, 5, 31),
            term_text="一年二个月二十一天",
            charge="合同诈骗罪",
            crime_category="ECONOMIC_ORDER",
            decided_on_as_written="2026/3/7",
        ),
    )


def liu_fang() -> Person:
    case_no = "(2026)粤0604刑初59号"
    return Person(
        id_no="440604199303030065",
        name="刘芳",
        sex="FEMALE",
        birth_date=date(1993, 3, 3),
        key="liu-fang",
        note="暂予监外执行(怀孕), 监狱日期写作0000-00-00 / temporary service outside prison (pregnant); zero date in the drop",
        hukou_address="广东省佛山市禅城区石湾镇街道绿景二路12号",
        phone="13800000065",
        cases=(
            CaseFact(
                dxbh="4406042026090065",
                case_no=case_no,
                case_type="TEMPORARY_SERVICE_OUTSIDE_PRISON",
                deciding_organ="PRISON_ADMINISTRATION",
                decision_doc_no="粤狱暂字〔2026〕45号",
                effective_on=date(2026, 9, 3),
                start_on=date(2026, 9, 3),
                end_on=date(2027, 6, 2),
                crime_category="ECONOMIC_ORDER",
                charge="信用卡诈骗罪",
                penalty="FIXED_TERM",
                penalty_months=30,
                level="LENIENT",
                office="石湾司法所",
            ),
        ),
        judgments=(
            JudgmentFact(
                doc_no="粤狱暂字〔2026〕45号",
                doc_type="DECISION",
                title="暂予监外执行决定书",
                issuer="广东省监狱管理局",
                case_no=case_no,
                issued_on=date(2026, 9, 1),
                effective_on=date(2026, 9, 3),
            ),
        ),
        handover=HandoverFact(
            prison_no="4420260045",
            prison="广东省女子监狱",
            id_as_written="440604199303030065",
            decided_on=date(2026, 9, 1),
            decision_doc_no="粤狱暂字〔2026〕45号",
            case_no=case_no,
            case_type="TEMPORARY_SERVICE_OUTSIDE_PRISON",
            start_on=date(2026, 9, 3),
            end_on=date(2027, 6, 2),
            term_text="九个月",
            charge="信用卡诈骗罪",
            crime_category="ECONOMIC_ORDER",
            decided_on_as_written="0000-00-00",
        ),
    )
