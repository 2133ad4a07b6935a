"""Code tables as enums. Every one of them also has UNMAPPED: the source said something that is in no table,
and its own word stands beside it in `<field>Raw`. Sources number their codes differently, so a manifest maps each
source's codes by name, never by number (domain-brief, section 3).
"""

from __future__ import annotations

from enum import Enum

import strawberry

from schema.describe import both, value


@strawberry.enum(description=both("性别 (GB/T 2261.1)", "Sex (GB/T 2261.1)"))
class Sex(Enum):
    UNKNOWN = value("UNKNOWN", "未知", "Unknown")
    MALE = value("MALE", "男", "Male")
    FEMALE = value("FEMALE", "女", "Female")
    UNSTATED = value("UNSTATED", "未说明", "Not stated")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")


@strawberry.enum(description=both("人口状态", "Status in the population register"))
class LifeStatus(Enum):
    LIVING = value("LIVING", "正常", "Living, registered")
    DECEASED_OR_CANCELLED = value("DECEASED_OR_CANCELLED", "死亡或注销", "Deceased or registration cancelled")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")


@strawberry.enum(description=both("居住事由", "Why the person lives there"))
class ResidenceType(Enum):
    WORK = value("WORK", "务工", "Work")
    BUSINESS = value("BUSINESS", "经商", "Business")
    STUDY = value("STUDY", "就学", "Study")
    OTHER = value("OTHER", "其他", "Other")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")


@strawberry.enum(description=both("居住登记状态", "State of the residence registration"))
class ResidenceStatus(Enum):
    CURRENT = value("CURRENT", "在住", "Living there")
    LEFT = value("LEFT", "已离开", "Has left")
    LAPSED = value("LAPSED", "居住证逾期未签注", "Permit lapsed, not endorsed")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")


@strawberry.enum(description=both("险种", "Kind of social insurance"))
class InsuranceKind(Enum):
    PENSION = value("PENSION", "养老保险", "Pension")
    UNEMPLOYMENT = value("UNEMPLOYMENT", "失业保险", "Unemployment")
    MEDICAL = value("MEDICAL", "医疗保险", "Medical")
    WORK_INJURY = value("WORK_INJURY", "工伤保险", "Work injury")
    MATERNITY = value("MATERNITY", "生育保险", "Maternity")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")


@strawberry.enum(description=both("参保状态", "State of the insurance"))
class InsuranceStatus(Enum):
    ACTIVE = value("ACTIVE", "参保缴费", "Paying")
    SUSPENDED = value("SUSPENDED", "暂停缴费", "Suspended")
    ENDED = value("ENDED", "终止缴费", "Ended")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")


@strawberry.enum(description=both("任职或投资身份", "Role in the business"))
class BusinessRole(Enum):
    LEGAL_REPRESENTATIVE = value("LEGAL_REPRESENTATIVE", "法定代表人", "Legal representative")
    SHAREHOLDER = value("SHAREHOLDER", "股东", "Shareholder")
    EXECUTIVE = value("EXECUTIVE", "高级管理人员", "Executive")
    OPERATOR = value("OPERATOR", "经营者", "Operator of a sole trader's business")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")


@strawberry.enum(description=both("登记状态", "State of the registration"))
class BusinessStatus(Enum):
    OPERATING = value("OPERATING", "存续", "Operating")
    REVOKED = value("REVOKED", "吊销", "Licence revoked")
    DEREGISTERED = value("DEREGISTERED", "注销", "Deregistered")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")


@strawberry.enum(description=both("矫正类别", "Type of correction"))
class CorrectionType(Enum):
    PUBLIC_SURVEILLANCE = value("PUBLIC_SURVEILLANCE", "管制", "Public surveillance")
    PROBATION = value("PROBATION", "缓刑", "Probation")
    PAROLE = value("PAROLE", "假释", "Parole")
    TEMPORARY_SERVICE_OUTSIDE_PRISON = value(
        "TEMPORARY_SERVICE_OUTSIDE_PRISON", "暂予监外执行", "Temporary service outside prison"
    )
    OTHER = value("OTHER", "其他", "Other")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")


@strawberry.enum(description=both("决定机关", "Deciding organ"))
class DecidingOrgan(Enum):
    COURT = value("COURT", "人民法院", "Court")
    POLICE = value("POLICE", "公安机关", "Police")
    PRISON_ADMINISTRATION = value("PRISON_ADMINISTRATION", "监狱管理机关", "Prison administration")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")


@strawberry.enum(description=both("犯罪类型", "Category of crime"))
class CrimeCategory(Enum):
    NATIONAL_SECURITY = value("NATIONAL_SECURITY", "危害国家安全", "National security")
    PUBLIC_SECURITY = value("PUBLIC_SECURITY", "危害公共安全", "Public security")
    ECONOMIC_ORDER = value("ECONOMIC_ORDER", "破坏市场经济秩序", "Economic order")
    PERSONAL_RIGHTS = value("PERSONAL_RIGHTS", "侵犯人身民主权利", "Personal and democratic rights")
    PROPERTY = value("PROPERTY", "侵犯财产", "Property")
    SOCIAL_ORDER = value("SOCIAL_ORDER", "妨害社会管理秩序", "Social order")
    NATIONAL_DEFENCE = value("NATIONAL_DEFENCE", "危害国防利益", "National defence")
    CORRUPTION = value("CORRUPTION", "贪污贿赂", "Corruption and bribery")
    DERELICTION = value("DERELICTION", "渎职", "Dereliction of duty")
    OTHER = value("OTHER", "其他", "Other")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")


@strawberry.enum(description=both("原判刑罚", "Original penalty"))
class OriginalPenalty(Enum):
    DEATH_SUSPENDED = value("DEATH_SUSPENDED", "死刑缓期执行", "Death penalty with reprieve")
    LIFE = value("LIFE", "无期徒刑", "Life imprisonment")
    FIXED_TERM = value("FIXED_TERM", "有期徒刑", "Fixed-term imprisonment")
    CRIMINAL_DETENTION = value("CRIMINAL_DETENTION", "拘役", "Criminal detention")
    PUBLIC_SURVEILLANCE = value("PUBLIC_SURVEILLANCE", "管制", "Public surveillance")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")


@strawberry.enum(description=both("管理级别", "Level of supervision"))
class SupervisionLevel(Enum):
    BASIC = value("BASIC", "基础", "Basic")
    LENIENT = value("LENIENT", "宽松", "Lenient")
    ORDINARY = value("ORDINARY", "普通", "Ordinary")
    STRICT = value("STRICT", "严格", "Strict")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")


@strawberry.enum(description=both("案件状态", "State of the case"))
class CaseState(Enum):
    DECIDED = value("DECIDED", "已决定", "Decided")
    NOTIFIED = value("NOTIFIED", "已通知", "Execution place notified")
    DOCS_SERVED = value("DOCS_SERVED", "文书已送达", "Documents served")
    REPORTED_IN = value("REPORTED_IN", "已报到", "Reported in")
    ENROLLED = value("ENROLLED", "已入矫", "Enrolled")
    SUPERVISED = value("SUPERVISED", "在矫", "Under supervision")
    ON_LEAVE = value("ON_LEAVE", "外出", "On approved leave")
    TRANSFERRING = value("TRANSFERRING", "执行地变更中", "Transfer under way")
    OUT_OF_CONTACT = value("OUT_OF_CONTACT", "脱管", "Out of contact")
    REVOCATION_PENDING = value("REVOCATION_PENDING", "撤销或收监审理中", "Revocation pending")
    DETAINED = value("DETAINED", "因其他案件羁押", "Detained in another case")
    DISCHARGED = value("DISCHARGED", "解除矫正", "Discharged")
    AFTERCARE = value("AFTERCARE", "安置帮教", "Aftercare")
    TERMINATED = value("TERMINATED", "终止矫正", "Terminated")
    NOT_ENROLLED = value("NOT_ENROLLED", "漏管", "Never enrolled")
    CLOSED = value("CLOSED", "已关闭", "Closed")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")


@strawberry.enum(description=both("文书种类", "Kind of legal document"))
class DocumentType(Enum):
    JUDGMENT = value("JUDGMENT", "判决书", "Judgment")
    RULING = value("RULING", "裁定书", "Ruling")
    DECISION = value("DECISION", "暂予监外执行决定书", "Decision on temporary service outside prison")
    EXEC_NOTICE = value("EXEC_NOTICE", "执行通知书", "Execution notice")
    INDICTMENT = value("INDICTMENT", "起诉书", "Indictment")
    PERSON_NOTICE = value("PERSON_NOTICE", "告知书", "Notice to the person")
    CASE_CLOSE_FORM = value("CASE_CLOSE_FORM", "结案登记表", "Case closing form")
    CORRECTION = value("CORRECTION", "更正裁定", "Correcting ruling")
    DISCHARGE_CERT = value("DISCHARGE_CERT", "解除社区矫正证明书", "Discharge certificate")
    RELEASE_CERT = value("RELEASE_CERT", "释放证明书", "Release certificate")
    OTHER = value("OTHER", "其他", "Other")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")


@strawberry.enum(description=both("就业状况", "Employment"))
class EmploymentState(Enum):
    EMPLOYED = value("EMPLOYED", "就业", "Employed")
    UNEMPLOYED = value("UNEMPLOYED", "无业", "Unemployed")
    STUDYING = value("STUDYING", "就学", "Studying")
    UNMAPPED = value("UNMAPPED", "未能对应的代码", "A code that is in no table")
