"""Describes what a message holds besides text and files: a sticker, contacts, a poll, a vote, a place. Pure.

The words in it are the sender's or a third person's. Each stands between double quotes that it cannot close, and each
description is one line in parentheses, so that it begins no command. A part of a wrong type is not described.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, TypeVar

from pydantic import Field, OnErrorOmit, ValidationError

from ....common.core.events import Address
from ....common.core.people import as_aci, as_number
from ....common.core.wording import NAME_CHARACTERS, Foreign
from ....common.inbound.wire import Lenient
from ..wire import DataMessage, Quote, Wire, first

_CARD_CHARACTERS = 2_000
_WORDS_CHARACTERS = 120
_MOST_CONTACTS, _MOST_VALUES, _MOST_OPTIONS, _MOST_PREVIEWS = 5, 5, 12, 5
_MAPS = (
    "https://maps.google.com/",
    "https://maps.google.com?",
    "https://www.google.com/maps",
    "https://maps.app.goo.gl/",
    "https://maps.apple.com/",
    "https://maps.apple.com?",
    "https://www.openstreetmap.org/",
)
"""Signal's apps share a place as a text with such a link, and with a preview that names it."""


class _Sticker(Wire):
    """A sticker. signal-cli gives neither its picture nor its emoji."""

    pack_id: str
    sticker_id: int


class _Name(Wire):
    nickname: Lenient[str] = None
    prefix: Lenient[str] = None
    given: Lenient[str] = None
    middle: Lenient[str] = None
    family: Lenient[str] = None
    suffix: Lenient[str] = None


class _Value(Wire):
    value: str


class _PostalAddress(Wire):
    street: Lenient[str] = None
    pobox: Lenient[str] = None
    neighborhood: Lenient[str] = None
    postcode: Lenient[str] = None
    city: Lenient[str] = None
    region: Lenient[str] = None
    country: Lenient[str] = None


_Values = Annotated[Lenient[tuple[OnErrorOmit[_Value], ...]], first(_MOST_VALUES)]


class _Contact(Wire):
    name: Lenient[_Name] = None
    organization: Lenient[str] = None
    phone: _Values = None
    email: _Values = None
    address: Annotated[Lenient[tuple[OnErrorOmit[_PostalAddress], ...]], first(_MOST_VALUES)] = None


class _Poll(Wire):
    question: str
    allow_multiple: Lenient[bool] = None
    options: Annotated[tuple[OnErrorOmit[str], ...], first(_MOST_OPTIONS)]


class _Vote(Wire):
    """A vote in the poll of that author. `option_indexes` count from 0; without any, the vote is taken back."""

    author: Lenient[str] = None
    author_number: Lenient[str] = None
    author_uuid: Lenient[str] = None
    option_indexes: Annotated[
        tuple[OnErrorOmit[Annotated[int, Field(ge=0, lt=100)]], ...],
        first(_MOST_OPTIONS),
    ]


class _End(Wire):
    target_sent_timestamp: int


class _File(Wire):
    content_type: Lenient[str] = None
    filename: Lenient[str] = None


class _Preview(Wire):
    url: str
    title: Lenient[str] = None
    description: Lenient[str] = None


def shared(body: DataMessage) -> tuple[Foreign, ...]:
    """Return descriptions of what the sender shares with a message."""
    return tuple(Foreign(f"({line})", _CARD_CHARACTERS) for line in _shared(body))


def voted(body: DataMessage, names: Callable[[Address], Foreign]) -> tuple[Foreign, ...]:
    """Return descriptions of a vote, or of the end of a poll: nobody is asked anything by those."""
    return tuple(Foreign(f"({line})", _CARD_CHARACTERS) for line in _voted(body, names))


def quoted(quote: Quote) -> Foreign:
    """Return the quoted text; in its place, what is known of a message without text."""
    if (quote.text or "").strip():
        return Foreign(quote.text or "")
    file = next(_rows(_File, quote.attachments, 1), None)
    # A quote does not say whether it is of a sticker, a contact or a poll.
    kind = file and (file.filename or file.content_type)
    return Foreign(f"(file {_quoted(kind)})" if kind else "(a message without text)")


def _shared(body: DataMessage) -> Iterator[str]:
    if _read(_Sticker, body.sticker):
        yield "sticker"
    for contact in _rows(_Contact, body.contacts, _MOST_CONTACTS):
        yield f"contact: {', '.join(_of_contact(contact)) or 'empty'}"
    if isinstance(body.contacts, list) and len(body.contacts) > _MOST_CONTACTS:
        yield f"and {len(body.contacts) - _MOST_CONTACTS} more contacts"
    if poll := _read(_Poll, body.poll_create):
        options = ", ".join(f"{number}. {_quoted(option)}" for number, option in enumerate(poll.options, 1))
        answers = "several answers" if poll.allow_multiple else "one answer"
        yield f"poll: {_quoted(poll.question)}; {answers} of: {options}"
    text = body.message or ""
    for preview in _rows(_Preview, body.previews, _MOST_PREVIEWS):
        named = [_quoted(words) for words in (preview.title, preview.description) if words and words.strip()]
        if named and preview.url.startswith(_MAPS) and preview.url in text:
            yield f"place: {', '.join(named)}"


def _voted(body: DataMessage, names: Callable[[Address], Foreign]) -> Iterator[str]:
    if vote := _read(_Vote, body.poll_vote):
        author = names(
            Address(
                as_aci(vote.author_uuid) or as_aci(vote.author), as_number(vote.author_number) or as_number(vote.author)
            )
        )
        poll = f"the poll of {_quoted(author)}" if author else "a poll"
        chosen = ", ".join(str(index + 1) for index in vote.option_indexes)
        yield f"voted for {chosen} in {poll}" if chosen else f"took back a vote in {poll}"
    if _read(_End, body.poll_terminate):
        yield "ended a poll of their own"


def _of_contact(contact: _Contact) -> Iterator[str]:
    name = contact.name or _Name()
    whole = " ".join(_filled(name.prefix, name.given, name.middle, name.family, name.suffix))
    if whole:
        yield _quoted(whole, NAME_CHARACTERS)
    if nickname := " ".join(_filled(name.nickname)):
        yield f"called {_quoted(nickname, NAME_CHARACTERS)}"
    if organization := " ".join(_filled(contact.organization)):
        yield f"organisation {_quoted(organization, NAME_CHARACTERS)}"
    yield from (f"phone {_quoted(phone.value)}" for phone in contact.phone or ())
    yield from (f"e-mail {_quoted(email.value)}" for email in contact.email or ())
    for at in contact.address or ():
        lines = _filled(at.street, at.pobox, at.neighborhood, at.postcode, at.city, at.region, at.country)
        if where := ", ".join(lines):
            yield f"address {_quoted(where)}"


def _filled(*parts: str | None) -> Iterable[str]:
    return [part[:_WORDS_CHARACTERS].strip() for part in parts if part and part.strip()]


def _quoted(words: str, most: int = _WORDS_CHARACTERS) -> str:
    return f'"{Foreign(words, most).replace(chr(34), chr(39))}"'


_Part = TypeVar("_Part", bound=Wire)


def _read(model: type[_Part], part: Any) -> _Part | None:
    if part is None:
        return None
    try:
        return model.model_validate(part)
    except ValidationError:
        return None


def _rows(model: type[_Part], parts: Any, most: int) -> Iterator[_Part]:
    if isinstance(parts, list):
        yield from filter(None, (_read(model, part) for part in parts[:most]))
