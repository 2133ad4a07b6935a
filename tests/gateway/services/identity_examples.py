"""A small district: what the import tests start from."""

from __future__ import annotations

from collections.abc import Sequence

ORGANISATIONS = """\
org_id,name_zh,uscc,kind,jurisdiction,parent_id,purposes,active
CC-JUSTICE,禅城区司法局,114406040070555557,CORRECTION_AGENCY,440604,,,是
CC-OFFICE,石湾司法所,,JUSTICE_OFFICE,440604,CC-JUSTICE,,
FS-BANK,佛山测试银行,91440600MABANK001M,BANK,,,CREDIT_CHECK,
"""
POSTS = """\
机构代码,岗位代码,岗位名称,角色,可用用途,起,止
CC-JUSTICE,CASE_OFFICER,矫正专干,JUSTICE_OFFICER,CC_RECEPTION;CC_PLAN,,
CC-JUSTICE,HEAD,科长,JUSTICE_OFFICER；SUPERVISOR,CC_RECEPTION,,
CC-OFFICE,CASE_OFFICER,司法所专干,JUSTICE_OFFICER,CC_RECEPTION,,2027-06-30
"""
OFFICERS = """\
login,name,org_id,posts,roles,id_no,external_id,active
CC0001,周凯,CC-JUSTICE,CASE_OFFICER,,440604198604040051,idp|1,
cc0002,李䶮,CC-JUSTICE,HEAD:2026-01-01..2026-11-23,IDENTITY_ADMIN,,idp|2,是
sw0001,买买提·艾力,CC-OFFICE,CASE_OFFICER,,,,
"""
DEVICES = """\
device_id,kind,org_id,officer,person_id_no
fp-01,FINGERPRINT,CC-OFFICE,sw0001,
wb-8604,WRISTBAND,CC-JUSTICE,,440606199003070017
"""


def district(**changes: str) -> dict[str, bytes]:
    """The four files as bytes; a keyword replaces a file's text, '' leaves it out."""
    texts = {"organisations": ORGANISATIONS, "posts": POSTS, "officers": OFFICERS, "devices": DEVICES} | changes
    return {f"{name}.csv": text.encode() for name, text in texts.items() if text}


class Revocations:
    """Implements `gateway.oauth.ports.Revoker`: notes whose grants ended."""

    def __init__(self) -> None:
        self.users: list[str] = []
        self.clients: list[str] = []
        self.fails = False

    async def revoke_user(self, user_id: str) -> None:
        if self.fails:
            raise ConnectionError
        self.users.append(user_id)

    async def revoke_client(self, client_id: str) -> None:
        self.clients.append(client_id)

    async def revoke_grant(self, grant_id: str) -> None:
        raise NotImplementedError

    async def revoke_consent(self, consent_id: str) -> None:
        raise NotImplementedError


class Subjects:
    """Implements `gateway.caller.Subjects` in memory."""

    async def intern(self, id_numbers: Sequence[str]) -> Sequence[str]:
        return [f"subject-of-{number[-4:]}" for number in id_numbers]

    async def recognise(self, id_numbers: Sequence[str]) -> Sequence[str]:
        return await self.intern(id_numbers)

    def pid(self, subject_id: str, org_id: str) -> str:
        return f"{subject_id}/{org_id}"
