"""Why SQLite could not do something, in plain words."""

from __future__ import annotations

import sqlite3

from core.message import translatable
from core.store.check import is_damage


def sqlite_reason(error: sqlite3.Error) -> str:
    """Returns in plain words why SQLite could not do something."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if known := _REASONS.get(code):
        return known
    if is_damage(error):
        return translatable("core", "it is damaged")
    return translatable("core", "SQLite error {number}").format(number=code)


_REASONS = {
    sqlite3.SQLITE_BUSY: translatable("core", "it is locked by another program"),
    sqlite3.SQLITE_LOCKED: translatable("core", "it is locked by another program"),
    sqlite3.SQLITE_FULL: translatable("core", "the disk is full"),
    sqlite3.SQLITE_IOERR: translatable("core", "the disk reports an error"),
    sqlite3.SQLITE_READONLY: translatable("core", "it is write-protected"),
    sqlite3.SQLITE_CANTOPEN: translatable("core", "it cannot be opened"),
    sqlite3.SQLITE_PERM: translatable("core", "you have no permission to open it"),
    sqlite3.SQLITE_AUTH: translatable("core", "you have no permission to open it"),
    sqlite3.SQLITE_NOMEM: translatable("core", "there is not enough memory"),
    sqlite3.SQLITE_TOOBIG: translatable("core", "a text is too long"),
    sqlite3.SQLITE_INTERRUPT: translatable("core", "Onlooker is closing"),
}
