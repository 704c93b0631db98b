"""Normalisation, attention and losses."""

import math

import torch
import torch.nn.functional as F

from cases import INF, Source, op

LAYERS = "normalisation_attention"


def of_operands(name, group, run, where, count=22, low=-2.0, high=2.0):
    """Cases over (operands as functions of the source, attributes, more), again with other numbers."""

    @op(name, group, run)
    def generate():
        source = Source(name)
        for k in range(max(count, len(where))):
            operands, attrs, *more = where[k % len(where)]
            inputs = [make(source) if callable(make) else source.uniform(make, low, high) for make in operands]
            yield {"inputs": inputs, "attrs": attrs, **(more[0] if more else {})}


of_operands("layer_norm", LAYERS, lambda ts, a: F.layer_norm(ts[0], a["normalized_shape"], *ts[1:], eps=a.get("eps", 1e-5)),
            [([(2, 3)], {"normalized_shape": [3]}), ([(2, 3), (3,)], {"normalized_shape": [3]}),
             ([(2, 4), (4,), (4,)], {"normalized_shape": [4]}), ([(2, 3, 2), (3, 2), (3, 2)], {"normalized_shape": [3, 2]}),
             ([(2, 2, 5), (5,), (5,)], {"normalized_shape": [5], "eps": 0.1}), ([(4,), (4,), (4,)], {"normalized_shape": [4]}),
             ([(3, 17), (17,), (17,)], {"normalized_shape": [17]}), ([(0, 3), (3,), (3,)], {"normalized_shape": [3]})])


def rms_norm(ts, attrs):
    dims = list(range(-len(attrs["normalized_shape"]), 0))
    y = ts[0] * torch.rsqrt(ts[0].square().mean(dims, keepdim=True) + attrs["eps"])
    return y * ts[1] if len(ts) > 1 else y


of_operands("rms_norm", LAYERS, rms_norm,
            [([(2, 3)], {"normalized_shape": [3], "eps": 1e-5}), ([(2, 4), (4,)], {"normalized_shape": [4], "eps": 1e-6}),
             ([(2, 3, 2), (3, 2)], {"normalized_shape": [3, 2], "eps": 0.1}), ([(5,), (5,)], {"normalized_shape": [5], "eps": 1e-5}),
             ([(2, 17), (17,)], {"normalized_shape": [17], "eps": 1e-5})])
of_operands("group_norm", LAYERS, lambda ts, a: F.group_norm(ts[0], a["num_groups"], *ts[1:], eps=a.get("eps", 1e-5)),
            [([(2, 4, 3)], {"num_groups": 2}), ([(2, 4, 3), (4,)], {"num_groups": 2}), ([(2, 4, 2, 2), (4,), (4,)], {"num_groups": 4}),
             ([(1, 3, 4), (3,), (3,)], {"num_groups": 1, "eps": 0.1}), ([(2, 6), (6,), (6,)], {"num_groups": 3}),
             ([(2, 2, 3, 2), (2,), (2,)], {"num_groups": 2})])


def batch_norm(ts, attrs):
    x, mean, var, weight, bias = ts
    return F.batch_norm(x, mean.clone(), var.clone(), weight, bias, attrs.get("training", False), attrs.get("momentum", 0.1),
                        attrs.get("eps", 1e-5))


def positive(shape):
    return lambda source: source.uniform(shape, 0.5, 2.0)


STATISTICS = {"grad": [True, False, False, True, True]}
of_operands("batch_norm", LAYERS, batch_norm,
            [([shape, (c,), positive((c,)), (c,), (c,)], attrs, STATISTICS)
             for shape, c, attrs in [((4, 3), 3, {"training": True}), ((2, 2, 3), 2, {"training": True}), ((4, 3), 3, {}),
                                     ((2, 2, 3, 2), 2, {"training": True, "momentum": 0.3}), ((2, 2, 2, 2), 2, {"training": False, "eps": 0.1}),
                                     ((5, 1), 1, {"training": True, "eps": 0.1})]])


def attention(ts, attrs):
    q, k, v, *mask = ts
    scale = attrs.get("scale", 1 / math.sqrt(q.shape[-1]))
    scores = q @ k.transpose(-1, -2) * scale
    if attrs.get("is_causal"):
        scores = scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -INF)
    if mask:
        scores = scores.masked_fill(~mask[0], -INF) if mask[0].dtype == torch.bool else scores + mask[0]
    return torch.softmax(scores, -1) @ v


def some(shape):
    """A mask in which no row is empty."""

    def make(source):
        mask = source.mask(shape)
        mask[..., 0] = True
        return mask

    return make


of_operands("scaled_dot_product_attention", LAYERS, attention,
            [([(1, 3, 2), (1, 3, 2), (1, 3, 2)], {}), ([(2, 1, 3, 2), (2, 1, 4, 2), (2, 1, 4, 3)], {}),
             ([(2, 3, 2), (2, 3, 2), (2, 3, 2)], {"is_causal": True}), ([(1, 2, 3), (1, 4, 3), (1, 4, 3), (2, 4)], {}),
             ([(2, 3, 2), (2, 3, 2), (2, 3, 2), some((3, 3))], {}), ([(1, 2, 2), (1, 3, 2), (1, 3, 2)], {"scale": 0.3}),
             ([(1, 2, 2, 4), (1, 2, 3, 4), (1, 2, 3, 2), some((1, 2, 2, 3))], {"scale": 1.0}),
             ([(1, 2, 3), (1, 4, 3), (1, 4, 3)], {"is_causal": True})])

LOSSES = "losses"
REDUCTIONS = [{}, {"reduction": "sum"}, {"reduction": "none"}, {"reduction": "mean"}]


def pair_loss(name, run, make_input, make_target, shapes=((), (1,), (2, 3), (7,), (2, 2, 2)), variants=({},)):
    of_operands(name, LOSSES, run,
                [([lambda s, h=shape: make_input(s, h), lambda s, h=shape: make_target(s, h)], {**reduction, **variant})
                 for variant in variants for reduction in REDUCTIONS for shape in shapes])


def usual(source, shape):
    return source.uniform(shape, -3, 3)


pair_loss("mse_loss", lambda ts, a: F.mse_loss(*ts, **a), usual, usual)
pair_loss("l1_loss", lambda ts, a: F.l1_loss(*ts, **a), usual, usual)
pair_loss("huber_loss", lambda ts, a: F.huber_loss(*ts, **a), usual, usual, ((), (5,), (2, 3)), ({}, {"delta": 0.5}))
pair_loss("smooth_l1_loss", lambda ts, a: F.smooth_l1_loss(*ts, **a), usual, usual, ((), (5,), (2, 3)), ({}, {"beta": 0.5}))



def classes(shape, count):
    return lambda source: source.integers(shape, 0, count)


def with_weight(f, **fixed):
    return lambda ts, a: f(ts[0], ts[1], weight=ts[2] if len(ts) > 2 else None, **fixed, **a)


def ignored(source):
    target = source.integers((5,), 0, 3)
    target[1] = -100
    return target


def probabilities(shape):
    return lambda source: torch.softmax(source.uniform(shape), 1).mul(1000).round().div(1000)


NO_WEIGHT_GRADIENT = {"grad": [True, True, False]}
of_operands("cross_entropy", LOSSES, with_weight(F.cross_entropy),
            [([shape, classes(shape[:-1], shape[-1])], r) for shape in [(4, 3), (3,), (1, 1), (2, 17), (5, 2)] for r in REDUCTIONS])
of_operands("cross_entropy/options", LOSSES, with_weight(F.cross_entropy),
            [case for r in REDUCTIONS for case in [
                ([(5, 3), ignored], r), ([(4, 3), classes((4,), 3)], {**r, "label_smoothing": 0.2}),
                ([(4, 3), classes((4,), 3), positive((3,))], r, NO_WEIGHT_GRADIENT),
                ([(4, 3), classes((4,), 3), positive((3,))], {**r, "label_smoothing": 0.1}, NO_WEIGHT_GRADIENT),
                ([(3, 4), probabilities((3, 4))], r), ([(2, 3), probabilities((2, 3)), positive((3,))], r, NO_WEIGHT_GRADIENT),
                ([(4, 3), classes((4,), 3)], {**r, "ignore_index": 1})]])


def log_probabilities(shape):
    return lambda source: torch.log_softmax(source.uniform(shape), -1).mul(1000).round().div(1000)


of_operands("nll_loss", LOSSES, with_weight(F.nll_loss),
            [case for r in REDUCTIONS for case in [
                ([log_probabilities((4, 3)), classes((4,), 3)], r), ([log_probabilities((3,)), classes((), 3)], r),
                ([log_probabilities((5, 3)), ignored], r), ([log_probabilities((4, 3)), classes((4,), 3)], {**r, "ignore_index": 1}),
                ([log_probabilities((4, 3)), classes((4,), 3), positive((3,))], r, NO_WEIGHT_GRADIENT)]])


def between(shape, low=0.05, high=0.95):
    return lambda source: source.uniform(shape, low, high)


of_operands("binary_cross_entropy", LOSSES, with_weight(F.binary_cross_entropy),
            [case for r in REDUCTIONS for case in [
                ([between((2, 3)), between((2, 3))], r), ([between(()), between(())], r), ([between((7,)), between((7,), 0.0, 1.0)], r),
                ([between((2, 3)), between((2, 3)), positive((3,))], r, NO_WEIGHT_GRADIENT)]])


def bce_with_logits(ts, attrs):
    attrs = dict(attrs)
    pos_weight = attrs.pop("pos_weight", None)
    return F.binary_cross_entropy_with_logits(ts[0], ts[1], ts[2] if len(ts) > 2 else None, **attrs,
                                              pos_weight=None if pos_weight is None else torch.tensor(pos_weight))


of_operands("binary_cross_entropy_with_logits", LOSSES, bce_with_logits,
            [case for r in REDUCTIONS for case in [
                ([(2, 3), between((2, 3))], r), ([(), between(())], r), ([lambda s: s.uniform((7,), -40, 40), between((7,), 0.0, 1.0)], r),
                ([(2, 3), between((2, 3)), positive((3,))], r, NO_WEIGHT_GRADIENT),
                ([(2, 3), between((2, 3))], {**r, "pos_weight": [0.5, 2.0, 1.5]}),
                ([(2, 3), between((2, 3)), positive((2, 3))], {**r, "pos_weight": [0.5, 2.0, 1.5]}, NO_WEIGHT_GRADIENT)]])


of_operands("kl_div", LOSSES, lambda ts, a: F.kl_div(*ts, **a),
            [case for r in REDUCTIONS for case in [
                ([log_probabilities((2, 3)), between((2, 3))], r), ([log_probabilities((4,)), between((4,))], r),
                ([log_probabilities((2, 3)), log_probabilities((2, 3))], {**r, "log_target": True})]])
