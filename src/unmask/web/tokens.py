"""Tokens that name their holder. What is kept is a hash: a token is shown once, when it is made."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from unmask.errors import UnmaskError
from unmask.web.scans import LOCAL
from unmask.web.store import new_id
from unmask.web.tables import Token, now

TOKEN_BYTES = 24
PREFIX = "unmask_"
"""Lets secret scanners, and people, recognise a token."""

NAME_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class Tokens:
    """The tokens in a database; 192 random bits each, so a plain hash is enough to keep them by."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def add(self, name: str) -> str:
        """A new token for `name`.

        Raises:
            UnmaskError: the name is taken, or cannot be one.
        """
        if not NAME_FORM.fullmatch(name) or name == LOCAL:
            raise UnmaskError(
                f"{name!r} cannot be a token's name",
                hint=f"use up to 64 letters, digits and . _ @ -, and not {LOCAL!r}",
            )
        token = _new()
        try:
            with Session(self.engine) as session, session.begin():
                session.add(Token(name=name, owner=new_id(), sha256=_digest(token)))
        except IntegrityError:
            raise UnmaskError(
                f"there is a token for {name!r}", hint="`unmask tokens renew` makes another"
            ) from None
        return token

    def renew(self, name: str) -> str:
        """Another token for `name` instead of the one there is; it opens the same scans.

        Raises:
            UnmaskError: there is none.
        """
        token = _new()
        renewed = update(Token).where(Token.name == name).values(sha256=_digest(token), created=now())
        with Session(self.engine) as session, session.begin():
            if session.scalar(renewed.returning(Token.name)) is None:
                raise _missing(name)
        return token

    def remove(self, name: str) -> None:
        """Take a token back; its holder's scans stay until they are too old, and nobody sees them any more.

        Raises:
            UnmaskError: there is none.
        """
        with Session(self.engine) as session, session.begin():
            if session.scalar(delete(Token).where(Token.name == name).returning(Token.name)) is None:
                raise _missing(name)

    def list(self) -> list[tuple[str, datetime]]:
        """Names and when their tokens were made."""
        with Session(self.engine) as session:
            return [
                (token.name, token.created) for token in session.scalars(select(Token).order_by(Token.name))
            ]

    def holder(self, token: str) -> str | None:
        """The owner of the scans that this token opens, None where it opens none."""
        if not token.startswith(PREFIX):
            return None
        with Session(self.engine) as session:
            return session.scalar(select(Token.owner).where(Token.sha256 == _digest(token)))


def _new() -> str:
    return PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def _missing(name: str) -> UnmaskError:
    return UnmaskError(f"there is no token for {name!r}", hint="`unmask tokens list` shows all")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
