"""The tables of a file that several open at the same time."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

import pytest

from core.schema_steps import take_steps
from core.workspace.opening import open_database

STEPS = (
    "CREATE TABLE a (text TEXT DEFAULT 'x;y'); CREATE INDEX b ON a (text);",
    """
    CREATE TABLE c (text TEXT);
    CREATE TRIGGER d AFTER INSERT ON a BEGIN INSERT INTO c VALUES (new.text); END;
    """,
)


def names(path):
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        found = connection.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall()
        return version, [name for (name,) in found]


def test_a_file_takes_the_steps_that_it_lacks(tmp_path):
    path = tmp_path / "a.sqlite"
    for count in (1, 2, 2, 1):
        with closing(sqlite3.connect(path)) as connection:
            take_steps(connection, STEPS[:count])
    assert names(path) == (2, ["a", "b", "c", "d"])


def test_steps_are_all_taken_or_none(tmp_path):
    path = tmp_path / "a.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            take_steps(connection, (*STEPS, "CREATE TABLE a (again TEXT);"))
        assert not connection.in_transaction
    assert names(path) == (0, [])


def test_a_new_file_is_opened_by_many_at_once(tmp_path):
    together = Barrier(4)

    def opened(data):
        together.wait()
        connection, notes = open_database(data)
        connection.close()
        return notes

    with ThreadPoolExecutor(4) as threads:
        for number in range(12):
            data = tmp_path / str(number)
            data.mkdir()
            assert not any(threads.map(opened, [data] * 4))
