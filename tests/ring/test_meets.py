"""A file stands among must=: a contract that does not hold blocks training, and a file that is not there is said at once."""

from __future__ import annotations

import pytest
import yaml

from everloop.errors import EverloopError, Missing
from everloop.loop.steps import check_now, train_now
from tests.ring.conftest import END

CONTRACT = {
    "kind": "DataContract",
    "apiVersion": "v3.1.0",
    "id": "c",
    "name": "shop",
    "version": "1",
    "status": "active",
    "schema": [
        {
            "name": "orders",
            "properties": [
                {"name": "quantity", "logicalTypeOptions": {"maximum": 10_000}},
                {"name": "product_id", "required": True, "quality": [{"type": "text", "description": "says which"}]},
            ],
        }
    ],
}


def meeting(file):
    def changed(text):
        made = text.replace("must=[", f'must=[meets("{file}"), ', 1).replace("    money,\n", "    meets,\n    money,\n", 1)
        assert made.count("meets") == 2
        return made

    return changed


def test_a_contract_that_does_not_hold_blocks_training(opened, tmp_path):
    house, model = opened("shop", meeting("shop.yaml"))
    file = tmp_path / "shop" / "shop.yaml"
    file.write_text(yaml.safe_dump(CONTRACT))
    report = check_now(house, model, END)
    told = {f.clause: f for f in report.findings}
    assert report.passed
    assert told["quantity.maximum"].rows > 1000
    assert told["product_id.quality[0] (text)"].sentence.endswith("is not judged here: it is prose.")
    CONTRACT["schema"][0]["properties"][0]["logicalTypeOptions"] = {"maximum": 1}
    file.write_text(yaml.safe_dump(CONTRACT))
    stopped = train_now(house, model, END.replace(hour=1))
    assert type(stopped).__name__ == "Report"
    (broken,) = (f for f in stopped.findings if f.outcome == "failed")
    assert broken.sentence.startswith("In orders, quantity is at most 1 in ")
    assert len(broken.examples) == 5
    file.unlink()
    with pytest.raises(EverloopError, match=r"shop\.yaml cannot be read: No such file"):
        check_now(house, model, END.replace(hour=2))


def test_a_suite_says_which_library_it_needs(opened, tmp_path):
    house, model = opened("shop", meeting("suite.json"))
    (tmp_path / "shop" / "suite.json").write_text('{"expectations": []}')
    with pytest.raises(Missing, match=r"pip install 'everloop\[great-expectations\]'"):
        check_now(house, model, END)
