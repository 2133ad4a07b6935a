"""What phones show: every kind in two languages, nothing that says why, no value that breaks a text."""

from __future__ import annotations

import pytest

from gateway.caller import Message
from gateway.errors import MessagesUnavailable
from gateway.services.message_texts import catalogue, needs, text_of

LINK = "https://yimen.example/me/l/abc"
VALUES = {"link": LINK, "code": "123456"}


@pytest.mark.parametrize("kind", sorted(catalogue()))
def test_every_kind_has_a_text_in_both_languages_with_the_same_values(kind: str) -> None:
    entry = catalogue()[kind]
    assert set(entry) == {"zh", "en"}
    assert needs(entry["zh"]) == needs(entry["en"])
    text = text_of(Message("s", "13800138000", kind, VALUES))
    assert "{" not in text.zh + text.en
    assert text.en.isascii() or "一" not in text.en


@pytest.mark.parametrize("kind", sorted(catalogue()))
def test_no_text_says_why_somebody_has_to_do_with_us(kind: str) -> None:
    said = " ".join(catalogue()[kind].values()).lower()
    for word in ("矫正", "司法", "社矫", "犯", "刑", "correction", "justice", "court", "offence", "probation"):
        assert word not in said


def test_values_may_be_given_per_language_or_once_for_both() -> None:
    both = text_of(
        Message(
            "s", "1", "CONSENT_ASKED", {"organisation_zh": "佛山银行", "organisation_en": "Foshan Bank", "link": LINK}
        )
    )
    assert "佛山银行" in both.zh
    assert "Foshan Bank" in both.en
    assert both.link == LINK
    once = text_of(Message("s", "1", "CONSENT_ASKED", {"organisation": "佛山银行", "link": "https://x"}))
    assert "佛山银行" in once.zh
    assert "佛山银行" in once.en


@pytest.mark.parametrize(
    "message",
    [
        Message("s", "1", "NO_SUCH_KIND", VALUES),
        Message("s", "1", "ONE_TIME_CODE"),
        Message("s", "1", "PAGES_LINK"),
        Message("s", "1", "ONE_TIME_CODE", {"code": "1\n2"}),
        Message("s", "1", "ONE_TIME_CODE", {"code": "x" * 3000}),
    ],
)
def test_what_cannot_be_said_is_not_sent_and_the_error_repeats_nothing(message: Message) -> None:
    with pytest.raises(MessagesUnavailable) as caught:
        text_of(message)
    assert "1\n2" not in str(caught.value)
    assert "NO_SUCH" not in str(caught.value)


def test_braces_in_a_value_are_only_braces() -> None:
    text = text_of(Message("s", "1", "CONSENT_ASKED", {"organisation": "{link.__class__}", "link": "https://x"}))
    assert "{link.__class__}" in text.zh
