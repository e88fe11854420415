import pytest
from clickhouse_connect.driver.client import Client

from schemas.errors import WrongInput
from sinks.migrate import known, migrate, pending, statements, store_id
from sinks.tables import TABLES


def test_a_new_store_gets_every_migration_in_order(bare: Client) -> None:
    assert pending(bare) == known()
    assert migrate(bare) == known()
    assert pending(bare) == ()
    rows = bare.query("SELECT number, name FROM migrations ORDER BY number").result_rows
    assert rows == [(migration.number, migration.name) for migration in known()]
    assert [number for number, _ in rows] == list(range(1, len(rows) + 1))


def test_migrating_twice_changes_nothing(bare: Client) -> None:
    migrate(bare)
    identity = store_id(bare)
    assert migrate(bare) == ()
    assert store_id(bare) == identity
    assert bare.query("SELECT count() FROM migrations").result_rows == [(len(known()),)]


def test_a_migration_that_was_cut_off_is_run_again(bare: Client) -> None:
    first = known()[0]
    for statement in first.statements[:2]:
        bare.command(statement)
    identity = bare.query("SELECT toString(store_id) FROM store").result_rows[0][0]
    assert migrate(bare) == known()
    assert store_id(bare) == identity


def test_every_statement_may_be_repeated(store: Client) -> None:
    for migration in known():
        for statement in migration.statements:
            store.command(statement)
    assert store.query("SELECT count() FROM store").result_rows == [(1,)]


def test_a_store_of_a_newer_version_is_refused_with_a_sentence(store: Client) -> None:
    store.command("INSERT INTO migrations (number, name, checksum) VALUES (9999, 'future', 'x')")
    with pytest.raises(WrongInput, match=r"migration 9999 \(future\).*newer version"):
        migrate(store)


def test_a_store_whose_migration_differs_is_refused_with_a_sentence(store: Client) -> None:
    store.command("INSERT INTO migrations (number, name, checksum) VALUES (1, 'store', 'other')")
    with pytest.raises(WrongInput, match=r"Migration 0001 \(store\) of the store is not the one"):
        pending(store)


def test_the_id_of_a_store_without_tables_is_asked_for_in_vain(bare: Client) -> None:
    with pytest.raises(WrongInput, match="quayside migrate"):
        store_id(bare)


def test_stores_have_ids_of_their_own(bare: Client, store: Client) -> None:
    first = store_id(store)
    bare.command("CREATE DATABASE second_store")
    bare.database = "second_store"
    migrate(bare)
    assert store_id(bare) != first


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("A; B;\n", ("A", "B")),
        ("SELECT ';' -- not; here\n; C", ("SELECT ';'", "C")),
        ("SELECT 'it''s; \\'fine;' ; `a;b`", ("SELECT 'it''s; \\'fine;'", "`a;b`")),
        ("/* one; two */ D", ("D",)),
        ("-- only a comment;\n", ()),
        ("SELECT '--', 1; E", ("SELECT '--', 1", "E")),
    ],
)
def test_statements_end_only_where_they_end(sql: str, expected: tuple[str, ...]) -> None:
    assert statements(sql) == expected


def test_the_tables_have_the_columns_that_the_sink_writes(store: Client) -> None:
    for table in TABLES.values():
        found = {row[0] for row in store.query(f"DESCRIBE TABLE {table.name}").result_rows if row[2] != "ALIAS"}
        assert found - {"inserted_at"} == set(table.names)
