"""What holds for every operation of the table; hand-worked cases stand in files of their own."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab import ops
from cnnlab.ops import Op, reference
from cnnlab.shapes import ShapeError
from proofs import EVERY, PROOFS
from proofs.base import check, forward, gradients, upstream

NAMES = [field.name for field in dataclasses.fields(reference)]
every_op = pytest.mark.parametrize("proof", EVERY, ids=lambda proof: proof.name)
per_image = pytest.mark.parametrize(
    "proof", [p for p in EVERY if p.per_image], ids=lambda proof: proof.name
)
every_case = pytest.mark.parametrize(
    ("proof", "case"),
    [
        pytest.param(proof, case, id=f"{proof.name}-{case.id}")
        for proof in EVERY
        for case in proof.cases
    ],
)


def count_floats(case):
    return sum(argument.dtype.kind == "f" for argument in case.arguments)


def run(proof, case, dout=None):
    """The output and the gradients, as a tuple, of one pass there and back."""
    out, cache = forward(proof, case)
    return out, gradients(proof, upstream(out) if dout is None else dout, cache)


def compare_with_oracles(proof, case):
    out, _ = forward(proof, case)
    answers = {
        name: oracle(*case.arguments, **case.options) for name, oracle in proof.oracles.items()
    }
    answers = {name: answer for name, answer in answers.items() if answer is not None}
    assert answers, "no oracle can take this case"
    for name, answer in answers.items():
        assert np.shape(out) == np.shape(answer), name
        np.testing.assert_allclose(out, answer, rtol=1e-11, atol=1e-12, err_msg=name)


def compare_products(proof, case):
    """⟨argument, its gradient⟩ = ⟨out, dout⟩ for every argument that scales the output."""
    silent = dataclasses.replace(
        case,
        arguments=tuple(
            np.zeros_like(argument) if number in proof.zeroed else argument
            for number, argument in enumerate(case.arguments)
        ),
    )
    out, cache = forward(proof, silent)
    dout = upstream(out)
    found = gradients(proof, dout, cache)
    # What is lost in rounding grows with the numbers added, not with their sum.
    size = np.abs(out * dout).sum()
    for number in proof.homogeneous_in:
        product = np.vdot(silent.arguments[number], found[number])
        assert product == pytest.approx(np.vdot(out, dout), rel=1e-10, abs=1e-12 * size)


# The table.


def test_the_table_holds_the_public_functions():
    for name in NAMES:
        op = getattr(reference, name)
        assert op.forward is getattr(ops, f"{name}_forward")
        assert op.backward is getattr(ops, f"{name}_backward")
        assert {f"{name}_forward", f"{name}_backward"} <= set(ops.__all__)


def test_every_operation_is_proven():
    assert set(PROOFS) == set(NAMES)


def test_everything_announced_exists():
    assert all(hasattr(ops, name) for name in ops.__all__)
    assert ops.__all__ == sorted(ops.__all__)


def test_a_table_is_changed_by_making_another():
    mine = Op(ops.relu_forward, ops.relu_backward)
    with pytest.raises(dataclasses.FrozenInstanceError):
        reference.relu = mine
    with pytest.raises(dataclasses.FrozenInstanceError):
        mine.forward = ops.conv_forward
    changed = dataclasses.replace(reference, relu=Op(ops.conv_forward, ops.conv_backward))
    assert changed.relu.forward is ops.conv_forward
    assert reference.relu.forward is ops.relu_forward


# The numbers.


@every_case
def test_forward_is_what_others_compute(proof, case):
    compare_with_oracles(proof, case)


@every_case
def test_backward_is_the_derivative(proof, case):
    report = check(proof, case)
    assert report.ok, str(report)


@pytest.mark.parametrize(
    ("proof", "case"),
    [
        pytest.param(proof, case, id=f"{proof.name}-{case.id}")
        for proof in EVERY
        for case in proof.cases
        if proof.homogeneous_in
    ],
)
def test_products_agree(proof, case):
    compare_products(proof, case)


@every_op
@given(data=st.data())
def test_any_sizes_and_options(proof, data):
    case = data.draw(proof.random)
    compare_with_oracles(proof, case)
    compare_products(proof, case)
    report = check(proof, case, directions=2)
    assert report.verdict != "wrong", str(report)


# Arrays: their dtype, their layout, and that they stay as they are.


@every_op
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_results_have_the_dtype_of_the_input(proof, dtype):
    out, found = run(proof, proof.cases[0].astype(dtype))
    assert out.dtype == dtype
    assert [gradient.dtype for gradient in found] == [dtype] * len(found)


@pytest.mark.parametrize(
    "proof",
    [proof for proof in EVERY if count_floats(proof.cases[0]) > 1],
    ids=lambda proof: proof.name,
)
@pytest.mark.parametrize(
    ("dtype", "others"), [("float32", "float64"), ("float64", "float32"), ("float32", "int64")]
)
def test_weights_of_another_dtype_are_converted(proof, dtype, others):
    x, *rest = proof.cases[0].astype(dtype).arguments
    rest = [(np.round(w * 4) + 1).astype(others) for w in rest]
    mixed = dataclasses.replace(proof.cases[0], arguments=(x, *rest))
    out, found = run(proof, mixed)
    right = dataclasses.replace(mixed, arguments=(x, *(w.astype(dtype) for w in rest)))
    expected, expected_gradients = run(proof, right)
    assert out.dtype == dtype
    assert np.array_equal(out, expected)
    for got, one in zip(found, expected_gradients, strict=True):
        assert got.dtype == dtype
        assert np.array_equal(got, one)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("leaky_relu", {"slope": 0.3}),
        ("elu", {"alpha": 0.3}),
        ("batch_norm", {"eps": 0.3}),
        ("batch_norm", {"mean": np.full(4, 0.3), "var": np.full(4, 0.3)}),
        ("lrn", {"k": 0.3, "alpha": 0.3, "beta": 0.3}),
        ("dropout", {"rate": 0.3, "rng": 0}),
        ("hinge_loss", {"margin": 0.3}),
        ("l2", {"strength": 0.3}),
    ],
)
def test_options_in_double_precision_do_not_change_the_dtype(name, options):
    options = {key: value if key == "rng" else np.float64(value) for key, value in options.items()}
    case = dataclasses.replace(PROOFS[name].cases[0].astype("float32"), options=options)
    out, found = run(PROOFS[name], case)
    assert {out.dtype, *(gradient.dtype for gradient in found)} == {np.dtype("float32")}


@every_op
@pytest.mark.parametrize("dout_dtype", ["float64", "int64"])
def test_an_upstream_gradient_of_another_dtype_is_converted(proof, dout_dtype):
    case = proof.cases[0].astype("float32")
    out, _ = forward(proof, case)
    _, found = run(proof, case, dout=np.ones(np.shape(out), dout_dtype)[()])
    assert {gradient.dtype for gradient in found} == {np.dtype("float32")}


@every_op
def test_an_upstream_gradient_of_another_shape_is_refused(proof):
    out, cache = forward(proof, proof.cases[0])
    for wrong in (np.ones((*np.shape(out), 1)), np.ones((*np.shape(out)[1:], 7))):
        with pytest.raises(ShapeError, match=r"dout must have the output's shape \(.*, got \("):
            proof.functions.backward(wrong, cache)


@every_op
@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool"])
def test_whole_numbers_are_refused_before_fractions_are_lost(proof, dtype):
    case = proof.cases[0]
    x, *rest = case.arguments
    case = dataclasses.replace(case, arguments=((x * 4).astype(dtype), *rest))
    if proof.keeps_integers:
        assert forward(proof, case)[0].dtype == dtype
    else:
        name = "w" if proof.op == "l2" else "x"
        message = rf"{name} must hold floating-point numbers, got {dtype}: .* {name}\.astype\(np"
        with pytest.raises(TypeError, match=message):
            forward(proof, case)


@every_op
def test_a_list_is_no_array(proof):
    x, *rest = proof.cases[0].arguments
    case = dataclasses.replace(proof.cases[0], arguments=(x.tolist(), *rest))
    with pytest.raises(TypeError, match="must be a NumPy array, got list"):
        forward(proof, case)


ones = np.ones


# What is not refused in the file of the operation itself.
@pytest.mark.parametrize(
    ("name", "arguments", "options", "error", "words"),
    [
        ("conv", (ones((1, 4, 4, 4)), ones((2, 2, 4, 6)), ones(6)), {"groups": 2}, ShapeError,
         r"x has 4 channels \(shape .*\), w has 4 in each of 2 groups \(shape"),
        ("conv", (ones((1, 4, 4, 4)), ones((2, 2, 2, 5)), ones(5)), {"groups": 2}, ShapeError,
         "2 groups must divide .* got 4 channels and 5 filters"),
        ("tiled", (ones((1, 4, 4, 2)), ones((0, 1, 2, 2, 2, 5)), ones((0, 1, 5))), {}, ShapeError,
         r"w must hold at least one set of filters, got shape \(0, 1"),
        ("max_pool", (ones((1, 4, 5, 1)),), {}, ShapeError, "does not fit an input of 5"),
        ("avg_pool", (ones((4, 4, 1)),), {}, ShapeError, r"x must have 4 axes .* got 3"),
        ("avg_pool", (ones((1, 5, 4, 1)),), {}, ShapeError, "does not fit an input of 5"),
        ("avg_pool", (ones((1, 4, 5, 1)),), {}, ShapeError, "does not fit an input of 5"),
        ("flatten", (np.float64(3),), {}, ShapeError, "at least one axis, the batch, got a single"),
        ("leaky_relu", (ones(3),), {"slope": np.nan}, ValueError, "slope must be a finite .* nan"),
        ("prelu", (np.float64(3), ones(1)), {}, ShapeError, "x must have at least one axis"),
        ("batch_norm", (ones((2, 3)), ones(3), ones(3)), {"mean": ones(1), "var": ones(3)},
         ShapeError, "mean must hold one number per feature"),
        ("batch_norm", (ones((2, 3)), ones(3), ones(3)), {"eps": 0}, ValueError, "eps .* got 0"),
        ("hinge_loss", (ones((3, 2)), np.arange(3)), {}, ValueError, "0 and 1, got 0 to 2"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_words(name, arguments, options, error, words):
    with pytest.raises(error, match=words):
        getattr(reference, name).forward(*arguments, **options)


@pytest.mark.parametrize(
    ("mean", "error", "words"),
    [
        (np.zeros(2), ShapeError, r"mean must hold one number per feature, shape \(3,\)"),
        (np.zeros(3, int), TypeError, "mean must hold floating-point numbers, got int64"),
    ],
)
def test_running_statistics_are_fractions_one_per_feature(mean, error, words):
    with pytest.raises(error, match=words):
        ops.running_statistics(np.ones((2, 3)), mean, np.ones(3))


# Special points.


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("sigmoid", [-1e30, -1e-30, 1e30], [0, 0.5, 1]),
        ("tanh", [-1e30, 1e-30, 1e30], [-1, 1e-30, 1]),
        ("relu", [-1e30, 1e-30, 1e30], [0, 1e-30, 1e30]),
        ("leaky_relu", [-1e30, 1e-30, 1e30], [-1e28, 1e-30, 1e30]),
        ("elu", [-1e30, -1e-30, 1e30], [-1, -1e-30, 1e30]),
        ("maxout", [-1e30, -np.inf], [-1e30]),
        ("softmax", [1e30, -1e30, 1e30], [0.5, 0, 0.5]),
        ("softmax", [0.0, -np.inf, 0.0], [0.5, 0, 0.5]),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_number_is_too_large_or_too_small(name, x, expected, dtype):
    op = getattr(reference, name)
    out, cache = op.forward(np.array(x, dtype))
    np.testing.assert_allclose(out, expected, rtol=1e-6)
    assert np.isfinite(op.backward(np.ones_like(out), cache)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_score_is_too_large_for_a_loss(dtype):
    # Rows far apart: each has its own largest score.
    x, y = np.array([[1e30, 0, -1e30], [0, 1, -1e30]], dtype), np.array([1, 0])
    loss, cache = ops.softmax_loss_forward(x, y)
    assert loss == pytest.approx((1e30 + np.log1p(np.e)) / 2, rel=1e-6)
    p = 1 / (1 + np.e)
    expected = np.array([[1, -1, 0], [p - 1, 1 - p, 0]]) / 2
    np.testing.assert_allclose(ops.softmax_loss_backward(1.0, cache), expected, rtol=1e-6)


def test_channels_and_features_may_be_missing():
    for name, arguments in (
        ("prelu", (ones((2, 0)), ones(0))),
        ("prelu", (ones((2, 0)), ones(1))),
        ("lrn", (ones((2, 0)),)),
        ("maxout", (ones((2, 0)),)),
        ("avg_pool", (ones((2, 2, 2, 0)),)),
    ):
        op = getattr(reference, name)
        out, cache = op.forward(*arguments)
        found = op.backward(out, cache)
        found = found if isinstance(found, tuple) else (found,)
        assert [g.shape for g in found] == [a.shape for a in arguments]


def test_flatten_and_max_pool_pass_fractions_back_to_whole_numbers():
    for name, x in (("flatten", ones((1, 2), int)), ("max_pool", ones((1, 2, 2, 1), int))):
        out, cache = getattr(reference, name).forward(x)
        dx = getattr(reference, name).backward(np.full(out.shape, 0.5), cache)
        assert dx.sum() == out.size / 2


@every_op
def test_nothing_that_is_passed_in_changes(proof):
    out, found = run(proof, proof.cases[0])
    dout = np.asarray(upstream(out))
    case = proof.cases[0].map(np.copy)
    for array in (*case.arguments, dout):
        array.flags.writeable = False  # now any attempt is an error
    again, found_again = run(proof, case, dout=dout)
    assert np.array_equal(again, out)
    for first, second in zip(found, found_again, strict=True):
        assert np.array_equal(first, second)


@every_op
def test_backward_may_run_twice(proof):
    out, cache = forward(proof, proof.cases[0])
    first, second = (gradients(proof, upstream(out), cache) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one, other)


@every_op
@pytest.mark.parametrize(
    "layout",
    [
        pytest.param(lambda array: np.asfortranarray(array), id="fortran-order"),
        pytest.param(lambda array: np.repeat(array, 2, axis=0)[::2], id="every-second"),
        pytest.param(lambda array: array[::-1].copy()[::-1], id="backwards"),
    ],
)
def test_the_layout_in_memory_does_not_matter(proof, layout):
    out, found = run(proof, proof.cases[0])
    got, got_gradients = run(proof, proof.cases[0].map(layout))
    np.testing.assert_allclose(got, out, rtol=1e-12, atol=1e-14)
    for one, other in zip(got_gradients, found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


# Batches: of one, of none, and with a NaN.


@per_image
def test_images_of_a_batch_do_not_see_each_other(proof):
    case = proof.cases[0]
    dout = upstream(forward(proof, case)[0])
    out, (dx, *_) = run(proof, case, dout=dout)
    for n in range(len(out)):
        one = proof.images(case, n, n + 1)
        alone, (dx_alone, *_) = run(proof, one, dout=dout[n : n + 1])
        np.testing.assert_allclose(alone, out[n : n + 1], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(dx_alone, dx[n : n + 1], rtol=1e-12, atol=1e-14)


@every_op
def test_a_batch_of_one_is_a_batch(proof):
    case = proof.images(proof.cases[0], 0, 1)
    compare_with_oracles(proof, case)
    assert check(proof, case).verdict != "wrong"


@per_image
def test_an_empty_batch_gives_an_empty_output_and_no_gradient(proof):
    full, _ = forward(proof, proof.cases[0])
    case = proof.images(proof.cases[0], 0, 0)
    out, (dx, *parameters) = run(proof, case)
    assert out.shape == (0, *full.shape[1:])
    assert dx.shape == case.arguments[0].shape
    for gradient, parameter in zip(parameters, case.arguments[1:], strict=True):
        assert np.array_equal(gradient, np.zeros(parameter.shape))


@per_image
def test_a_nan_spoils_its_own_image_only(proof):
    case = proof.cases[0].map(np.copy)
    case.arguments[0][1].flat[0] = np.nan
    out, _ = forward(proof, case)
    assert np.isnan(out[1]).any()
    assert np.isfinite(np.delete(out, 1, axis=0)).all()
