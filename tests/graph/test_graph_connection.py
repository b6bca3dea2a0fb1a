import logging

import pytest
from graph_servers import free_port, settings_for
from graph_tables import tables_of

from kg_pipeline.graph import GraphError, check_server, connect, constraints, sync, wanted_graph
from kg_pipeline.graph.connection import checked_address


def connecting(settings, tmp_path):
    with connect(settings, tmp_path):
        pass


def test_a_wrong_password_is_named_without_showing_it(graph_server, tmp_path):
    right = graph_server.settings
    if not right.neo4j_password.get_secret_value():
        pytest.skip("the server given by NEO4J_TEST_URI asks for no password")
    wrong = settings_for(right.neo4j_uri, right.neo4j_username, "not the password", right.neo4j_database)
    with pytest.raises(GraphError, match="refuses user name or password: set NEO4J_USERNAME") as error:
        connecting(wrong, tmp_path)
    assert "not the password" not in str(error.value)
    none = settings_for(right.neo4j_uri, right.neo4j_username, "", right.neo4j_database)
    with pytest.raises(GraphError, match="NEO4J_PASSWORD"):
        connecting(none, tmp_path)


def test_a_database_that_does_not_exist_is_named(graph_server, tmp_path):
    right = graph_server.settings
    password = right.neo4j_password.get_secret_value()
    with pytest.raises(GraphError, match="NEO4J_DATABASE"):
        connecting(settings_for(right.neo4j_uri, right.neo4j_username, password, "nothere"), tmp_path)


@pytest.mark.parametrize("scheme", ["bolt", "neo4j"])
def test_a_server_that_is_away_is_named(tmp_path, scheme):
    uri = f"{scheme}://127.0.0.1:{free_port()}"
    with pytest.raises(GraphError, match=r"no Neo4j server answers at \w+://127\.0\.0\.1:\d+") as error:
        connecting(settings_for(uri, "ann", "secret"), tmp_path)
    assert "secret" not in str(error.value)
    assert uri in str(error.value)
    [check] = check_server(settings_for(uri, "ann", "secret"), tmp_path)
    assert not check.ok
    assert "NEO4J_URI" in check.remedy


@pytest.mark.parametrize("uri", ["http://localhost:7474", "localhost", "bolt://", "nonsense://x"])
def test_an_address_that_is_none_is_a_graph_error(tmp_path, uri):
    with pytest.raises(GraphError, match="NEO4J_URI"):
        connecting(settings_for(uri, "ann", "secret"), tmp_path)


@pytest.mark.parametrize("uri", ["neo4j://ann:p@ss@host:1", "bolt://ann:p@ss@[::1", "ann:p@ss"])
def test_an_address_with_a_password_is_refused_without_showing_it(uri):
    with pytest.raises(GraphError, match="set NEO4J_USERNAME and NEO4J_PASSWORD") as error:
        checked_address(uri)
    assert "p@ss" not in str(error.value)
    assert error.value.__context__ is None


def test_not_even_the_log_for_debugging_has_the_values_of_rows(graph_server, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, "neo4j")
    passage = "nobody but the readers of this manual"
    with connect(graph_server.settings, tmp_path) as connection:
        found = connection.read("UNWIND $rows AS r RETURN r[0] AS text", rows=[[passage]])
        connection.write(lambda transaction: transaction.run("UNWIND $rows AS r RETURN r", rows=[[passage]]).consume())
    assert found == [{"text": passage}]
    assert "UNWIND $rows" in caplog.text
    assert passage not in caplog.text


def test_the_doctor_finds_a_good_server_good(graph_server, tmp_path):
    checks = check_server(graph_server.settings, tmp_path)
    assert all(check.ok for check in checks), checks
    assert "5.26" in checks[1].found or graph_server.kind == "embedded"


def test_the_doctor_finds_a_plain_index_in_the_way_and_the_sync_says_so(graph_server, tmp_path):
    if graph_server.kind == "embedded":
        pytest.skip("ArcadeDB makes a constraint of a plain index")
    graph_server.wipe()
    with graph_server.connect() as connection:
        for row in connection.read("SHOW CONSTRAINTS YIELD name"):
            connection.run(f"DROP CONSTRAINT {row['name']}")
        connection.run("CREATE INDEX mine FOR (n:Image) ON (n.id)")
        try:
            [bad] = [check for check in check_server(graph_server.settings, tmp_path) if not check.ok]
            assert "DROP INDEX `mine`" in bad.remedy
            with pytest.raises(GraphError, match="in the way of a uniqueness constraint"):
                sync(connection, "test", wanted_graph("test", tables_of()), home=tmp_path)
        finally:
            connection.run("DROP INDEX mine")
        before = connection.read("SHOW CONSTRAINTS YIELD name ORDER BY name")
        connection.run("CREATE (:Image {id: 'x'}), (:Image {id: 'x'})")
        with pytest.raises(GraphError, match="several nodes of one of our labels"):
            connection.run(constraints()[2])
        [found] = [check for check in check_server(graph_server.settings, tmp_path) if not check.ok]
        assert found.what == "graph constraints"
        connection.run("MATCH (n) DETACH DELETE n")
        assert check_server(graph_server.settings, tmp_path)[-1].ok
        assert connection.read("SHOW CONSTRAINTS YIELD name ORDER BY name") == before
