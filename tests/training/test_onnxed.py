"""A graph from elsewhere: let in, asked in the right order, and refused where its bytes or its columns are wrong."""

from __future__ import annotations

import json
import pickle

import numpy as np
import onnx
import pytest
import training_learners as learners
from onnx import TensorProto, helper, numpy_helper
from training_tables import NOW, Shelf, chance, number, table_of, training_set_of

from everloop.errors import ArtefactBroken, LearnerFailed
from everloop.training import admit, check_golden, load
from everloop.training.compiled import compiled
from everloop.training.onnxed import Onnx

MODEL = number(learners.Mean())
TABLE = table_of(MODEL, empty=False)
X = np.column_stack([TABLE.column(c).to_numpy() for c in MODEL.columns])
WEIGHTS = np.arange(1.0, X.shape[1] + 1)[:, None]


def graph(*, columns=None, width=X.shape[1], kind=TensorProto.DOUBLE, chances=False, apart=False):
    """A weighted sum of the columns; the chance of it, and of the opposite, where asked for."""
    weights = WEIGHTS[:width].astype(helper.tensor_dtype_to_np_dtype(kind))
    names = list(MODEL.columns)[::-1] if apart else ["x"]
    if apart:
        weights = weights[::-1]
    nodes = [helper.make_node("Concat", names, ["all"], axis=1)] if apart else [helper.make_node("Identity", ["x"], ["all"])]
    nodes.append(helper.make_node("MatMul", ["all", "w"], ["y"]))
    if chances:
        nodes += [
            helper.make_node("Sigmoid", ["y"], ["yes"]),
            helper.make_node("Sub", ["one", "yes"], ["no"]),
            helper.make_node("Concat", ["no", "yes"], ["chances"], axis=1),
        ]
    given = [helper.make_tensor_value_info(name, kind, [None, 1 if apart else width]) for name in names]
    said = [helper.make_tensor_value_info("chances" if chances else "y", kind, [None, 2 if chances else 1])]
    held = [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.ones(1, weights.dtype), "one")]
    made = helper.make_model(helper.make_graph(nodes, "sums", given, said, held), opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = 9
    if columns is not None:
        helper.set_model_props(made, {"columns": json.dumps(columns)})
    onnx.checker.check_model(made)
    return made.SerializeToString()


def let_in(tmp_path, body, model=MODEL, table=TABLE):
    (tmp_path / "m.onnx").write_bytes(body)
    shelf = Shelf()
    candidate = admit(model, tmp_path / "m.onnx", table, training_set_of(table), id="x", now=NOW, save=shelf.save)
    predictor = load(candidate, shelf.open)
    check_golden(predictor, shelf.open(candidate.golden))
    return candidate, predictor, shelf


@pytest.mark.parametrize(("kind", "near"), [(TensorProto.DOUBLE, 1e-12), (TensorProto.FLOAT, 1e-5)])
def test_a_graph_answers_the_sums_it_says(tmp_path, kind, near):
    candidate, predictor, _ = let_in(tmp_path, graph(kind=kind, columns=list(MODEL.columns)))
    assert candidate.format == "onnx"
    assert np.allclose(predictor.answer(TABLE).value, (X @ WEIGHTS)[:, 0], rtol=near)
    assert compiled(predictor) is None
    assert np.array_equal(pickle.loads(pickle.dumps(predictor)).answer(TABLE).value, predictor.answer(TABLE).value)


def test_one_tensor_for_each_feature_is_given_by_its_name(tmp_path):
    predictor = let_in(tmp_path, graph(apart=True))[1]
    assert np.allclose(predictor.answer(TABLE).value, (X @ WEIGHTS)[:, 0])


def test_a_chance_is_that_of_yes(tmp_path):
    model = chance(learners.Mean())
    table = table_of(model, empty=False)
    given = let_in(tmp_path, graph(chances=True), model, table)[1].answer(table).value
    said = np.column_stack([table.column(c).to_numpy() for c in model.columns])
    assert np.allclose(given, 1 / (1 + np.exp(-(said @ WEIGHTS)[:, 0])))


def test_other_columns_are_refused(tmp_path):
    for columns, why in ((list(MODEL.columns)[::-1], "in this order"), ("x", "no JSON list|in this order")):
        with pytest.raises(LearnerFailed, match=why):
            let_in(tmp_path, graph(columns=columns))
    with pytest.raises(LearnerFailed, match="takes 1 features"):
        let_in(tmp_path, graph(width=1))


@pytest.mark.parametrize("break_it", [lambda b: b[:-30], lambda b: b"", lambda b: b"\xff" * 200, lambda b: b.replace(b"MatMul", b"NoSuch")])
def test_broken_graphs_are_refused(tmp_path, break_it):
    with pytest.raises(ArtefactBroken, match="onnxruntime cannot read this graph"):
        let_in(tmp_path, break_it(graph()))


def test_an_artefact_that_was_changed_is_refused(tmp_path):
    candidate, _, shelf = let_in(tmp_path, graph())
    with pytest.raises(ArtefactBroken, match="SHA-256"):
        load(candidate, lambda sha: shelf.open(sha)[:-1])


def test_a_graph_of_words_is_refused(tmp_path):
    words = helper.make_tensor_value_info("x", TensorProto.STRING, [None, X.shape[1]])
    made = helper.make_model(
        helper.make_graph(
            [helper.make_node("Identity", ["x"], ["y"])], "g", [words], [helper.make_tensor_value_info("y", TensorProto.STRING, None)]
        ),
        opset_imports=[helper.make_opsetid("", 18)],
    )
    made.ir_version = 9
    with pytest.raises(LearnerFailed, match="no tensor of numbers"):
        let_in(tmp_path, made.SerializeToString())


def test_weights_beside_the_graph_are_never_read(tmp_path, monkeypatch):
    """Neither what lies in the working directory nor what somebody else put there gets into an answer."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(np.arange(64, dtype=np.float64).tobytes())
    beside = onnx.TensorProto(name="w", data_type=TensorProto.DOUBLE, dims=[8, 8], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "secret.bin"), ("offset", "0"), ("length", "512")):
        beside.external_data.add(key=key, value=value)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    ends = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 8]) for name in "xy"]
    made = helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:], [beside]), opset_imports=[helper.make_opsetid("", 13)])
    made.ir_version = 8
    with pytest.raises(ArtefactBroken, match="cannot read this graph"):
        Onnx(made.SerializeToString(), tuple("abcdefgh")).session
