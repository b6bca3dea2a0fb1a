import pytest
import typer

from kg_pipeline.commands.parameters import parse_parameters


def test_a_value_is_json_where_it_can_be_and_text_otherwise():
    given = ["n=5", 'code="5"', "name=E-07", "list=[1, 2]", "yes=true", "eq=a=b", "empty="]
    assert parse_parameters(given) == {
        "n": 5, "code": "5", "name": "E-07", "list": [1, 2], "yes": True, "eq": "a=b", "empty": ""
    }  # fmt: skip


@pytest.mark.parametrize("given", ["n", "=5", "a b=5", "$n=5"])
def test_what_names_no_parameter_is_refused(given, capsys):
    with pytest.raises(typer.Exit):
        parse_parameters([given])
    assert "expected NAME=VALUE" in capsys.readouterr().err
