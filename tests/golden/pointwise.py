"""Ops of one element of each operand."""

import math

import torch
import torch.nn.functional as F

from cases import INF, NAN, Source, op

SHAPES = [(), (1,), (5,), (2, 3), (3, 1, 2), (0,), (2, 0, 3), (17,), (4, 4), (1, 1), (9,)]


def specials(values, **more):
    return {"inputs": [torch.tensor(values)], "pointwise": True, **more}


def unary(name, run, ranges, *extra, exact=False, attrs=({},)):
    """At least 20 cases over ranges of the operand, shapes and attributes; `extra` are cases of awkward points."""

    @op(name, "unary", lambda ts, a: run(ts[0], **a))
    def generate():
        source = Source(name)
        for k in range(max(20, 7 * len(attrs))):
            low, high = ranges[k % len(ranges)]
            case = {"inputs": [source.uniform(SHAPES[k % len(SHAPES)], low, high)], "exact": exact, "pointwise": True}
            if attrs[k % len(attrs)]:
                case["attrs"] = attrs[k % len(attrs)]
            yield case
        yield from ({"exact": exact, **case} for case in extra)


def integers(values):
    return {"inputs": [torch.tensor(values, dtype=torch.int64)], "exact": True}


ALL = [(-3, 3), (-0.01, 0.01), (-40, 40)]
ENDS = [0.0, -0.0, INF, -INF, NAN, 1e-310, 1e300]

unary("neg", torch.neg, ALL, specials(ENDS), integers([0, -7, 2**62]), exact=True)
unary("abs", torch.abs, ALL, specials([0.0, -0.0, INF, -INF, 1e-310, -1e300]), integers([0, -7, 9]), exact=True)
unary("sign", torch.sign, ALL, specials([0.0, -0.0, INF, -INF, 1e-310, -1e300]), integers([0, -7, 9]), exact=True)
unary("reciprocal", torch.reciprocal, [(0.1, 3), (-9, -0.5), (1e3, 1e4)], specials([0.0, -0.0, INF, -INF, NAN]))
unary("square", torch.square, ALL, specials([0.0, INF, -INF, NAN, 1e-200, 1e200]))
unary("sqrt", torch.sqrt, [(0.1, 3), (1e-6, 1e-3), (100, 1e6)], specials([0.0, INF, NAN, -1.0, 1e-300, 1e300]))
unary("rsqrt", torch.rsqrt, [(0.1, 3), (1e-3, 1e-2), (100, 1e4)], specials([0.0, INF, NAN, -1.0]))
unary("exp", torch.exp, [(-3, 3), (-40, -30), (20, 40)], specials([0.0, -0.0, INF, -INF, NAN, 1000.0, -1000.0]))
unary("exp2", torch.exp2, [(-3, 3), (-40, -30), (20, 40)], specials([0.0, INF, -INF, NAN, 2000.0, -2000.0]))


class Expm1(torch.autograd.Function):
    """PyTorch's derivative is y + 1, which cancels for x far below 0; the library's is e^x."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.expm1(x)

    @staticmethod
    def backward(ctx, g):
        return g * torch.exp(ctx.saved_tensors[0])


unary("expm1", Expm1.apply, [(-3, 3), (-1e-3, 1e-3), (-40, -20), (10, 30)],
      specials([0.0, INF, NAN, 1000.0, 1e-18]))
LOGARITHM = [(0.1, 3), (0.9, 1.1), (1e-6, 1e-4), (1e3, 1e6)]
# At −1 PyTorch has the gradient −1 where the function is not defined; the library has NaN.
unary("log", torch.log, LOGARITHM, specials([0.0, INF, NAN, 1.0, 1e-300]),
      specials([-1.0, 1.0], gradients={"x": [NAN, 1.0]}))
unary("log2", torch.log2, LOGARITHM, specials([0.0, INF, NAN, 1.0, 8.0]))
unary("log10", torch.log10, LOGARITHM, specials([0.0, INF, NAN, 1.0, 1000.0]))
unary("log1p", torch.log1p, [(-0.9, 3), (-1e-3, 1e-3), (100, 1e4)], specials([-1.0, 0.0, INF, NAN, 1e-18]))
unary("sin", torch.sin, [(-3, 3), (-0.01, 0.01), (100, 200)], specials([0.0, -0.0, NAN, 1e5, INF]))
unary("cos", torch.cos, [(-3, 3), (-0.01, 0.01), (100, 200)], specials([0.0, NAN, 1e5, -INF]))
unary("tan", torch.tan, [(-1.4, 1.4), (-0.01, 0.01), (2, 4)], specials([0.0, NAN, 1e5, INF]))
unary("asin", torch.asin, [(-0.9, 0.9), (-0.01, 0.01)], specials([0.0, 1.0, -1.0, NAN]))
unary("acos", torch.acos, [(-0.9, 0.9), (-0.01, 0.01)], specials([0.0, 1.0, -1.0, NAN]))
unary("atan", torch.atan, ALL, specials([0.0, INF, -INF, NAN, 1e300]))
unary("sinh", torch.sinh, [(-3, 3), (-0.01, 0.01), (10, 30)], specials([0.0, INF, -INF, NAN]))
unary("cosh", torch.cosh, [(-3, 3), (-0.01, 0.01), (10, 30)], specials([0.0, INF, -INF, NAN]))
unary("tanh", torch.tanh, [(-3, 3), (-0.01, 0.01), (-0.5, 0.5)], specials([0.0, INF, -INF, NAN]))
unary("asinh", torch.asinh, ALL, specials([0.0, INF, -INF, NAN]))
unary("acosh", torch.acosh, [(1.1, 3), (10, 1e4)], specials([1.0, INF, NAN]))
unary("atanh", torch.atanh, [(-0.9, 0.9), (-0.01, 0.01)], specials([0.0, NAN]))
unary("sigmoid", torch.sigmoid, [(-3, 3), (-0.01, 0.01), (-40, -30)], specials([0.0, INF, -INF, NAN, 1000.0, -1000.0]))
unary("erf", torch.erf, [(-3, 3), (-0.01, 0.01), (0.5, 1)], specials([0.0, INF, -INF, NAN, 30.0]))
unary("erfc", torch.erfc, [(-3, 3), (-0.01, 0.01), (4, 5)], specials([0.0, INF, -INF, NAN, -30.0]))
unary("relu", torch.relu, ALL, specials([0.0, -0.0, INF, -INF, NAN]), exact=True)
unary("leaky_relu", F.leaky_relu, ALL, specials([0.0, INF, -INF, NAN]),
      attrs=({}, {"negative_slope": 0.2}, {"negative_slope": 0.0}, {"negative_slope": 1.5}))
unary("elu", F.elu, [(-3, 3), (-0.01, 0.01), (-40, -10)], specials([INF, -INF, NAN, 5.0]),
      attrs=({}, {"alpha": 0.5}, {"alpha": 2.0}))
unary("selu", F.selu, [(-3, 3), (-0.01, 0.01), (-40, -10)], specials([INF, -INF, NAN, 5.0]))
unary("softplus", F.softplus, [(-3, 3), (-0.01, 0.01), (-40, -30), (21, 50)],
      specials([1000.0, -1000.0, INF, -INF, NAN]),
      attrs=({}, {"beta": 2.0}, {"beta": 0.5, "threshold": 3.0}, {"threshold": 5.0}))
# PyTorch has NaN at infinities where silu and gelu have limits, which the library gives.
LIMITS = specials([INF, -INF], gradients={"x": [1.0, 0.0]}, expect=[INF, 0.0])
unary("silu", F.silu, [(-3, 3), (-0.01, 0.01), (-40, -30)], specials([0.0, NAN, 300.0]), LIMITS)
unary("mish", F.mish, [(-3, 3), (-0.01, 0.01), (-30, -20)], specials([0.0, NAN, 30.0]))


def gelu(x, approximate="none"):
    """PyTorch has 1 + erf and 1 + tanh, which cancel for x far below 0."""
    if approximate == "none":
        return 0.5 * x * torch.erfc(-x / math.sqrt(2))
    return x * torch.sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


unary("gelu", gelu, [(-3, 3), (-0.01, 0.01), (-5, -3)], specials([0.0, NAN, 30.0]), LIMITS,
      attrs=({}, {"approximate": "tanh"}, {"approximate": "none"}))
unary("hardtanh", F.hardtanh, ALL, specials([1.0, -1.0, 0.0, INF, -INF]), exact=True,
      attrs=({}, {"min_val": -0.5, "max_val": 2.0}, {"max_val": 6.0, "min_val": 0.0}))
unary("clamp", torch.clamp, ALL, specials([1.0, -1.0, 0.0, INF, -INF], attrs={"min": -1.0, "max": 1.0}), exact=True,
      attrs=({"min": -1.0, "max": 1.0}, {"min": 0.5}, {"max": -0.25}, {"min": -0.005, "max": 0.002}))
STEPS = [0.5, 1.5, 2.5, -0.5, -1.5, 0.0, 7.0]
for step in (torch.floor, torch.ceil, torch.round, torch.trunc):
    unary(step.__name__, step, [(-3, 3), (-0.4, 0.4), (-400, 400)], specials(STEPS), specials([INF, -INF, NAN, 1e300]),
          exact=True)

PAIRS = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (4,)), ((4,), ()), ((), ()), ((0, 3), (1, 3)),
         ((1,), (1,)), ((3, 1, 2), (4, 1)), ((17,), (17,)), ((2, 0), ()), ((2, 2, 2), (2, 1, 1))]


def binary(name, run, ranges, *extra, exact=False, twice=True):
    @op(name, "binary", lambda ts, a: run(ts[0], ts[1]))
    def generate():
        source = Source(name)
        for k in range(22):
            (a_low, a_high), (b_low, b_high) = ranges[k % len(ranges)]
            a, b = PAIRS[k % len(PAIRS)]
            yield {"inputs": [source.uniform(a, a_low, a_high), source.uniform(b, b_low, b_high)], "exact": exact,
                   "pointwise": a == b}
        (low, high), _ = ranges[0]
        if twice:
            for shape in ((), (2, 3)):
                yield {"inputs": [source.uniform(shape, low, high)], "twice": True, "exact": exact}
        yield from extra


def pairs(a, b, **more):
    return {"inputs": [torch.tensor(a), torch.tensor(b)], "pointwise": True, **more}


def whole(a, b):
    return {"inputs": [torch.tensor(a, dtype=torch.int64), torch.tensor(b, dtype=torch.int64)], "exact": True}


BOTH = [((-3, 3), (-3, 3)), ((-0.01, 0.01), (-3, 3)), ((-300, 300), (-3, 3))]
binary("add", torch.add, BOTH, pairs([INF, INF, NAN, 0.0], [1.0, -INF, 1.0, -0.0]), whole([3, -4], [5, 2**40]))
binary("sub", torch.sub, BOTH, pairs([INF, INF, NAN, 0.0], [1.0, INF, 1.0, 0.0]), whole([3, -4], [5, 2**40]))
binary("mul", torch.mul, BOTH, pairs([INF, 2.0, NAN, 0.0], [2.0, -INF, 1.0, -3.0]), whole([3, -4], [5, 2**40]))
binary("div", torch.div, [((-3, 3), (0.5, 3)), ((-0.01, 0.01), (-3, -0.5)), ((-300, 300), (10, 99))],
       pairs([1.0, -1.0, 3.0, 0.0], [INF, -INF, NAN, 2.0]), pairs([1e300, 1e-300], [1e10, 1e-10]))
binary("pow", torch.pow, [((0.2, 3), (-3, 3)), ((0.9, 1.1), (-9, 9)), ((0.001, 0.01), (-2, 2))],
       pairs([0.0, 0.0, 0.0, -2.0, 2.0], [0.0, 1.0, 2.0, 3.0, 0.0]), pairs([0.0, 4.0], [-1.0, 0.5]),
       {"inputs": [torch.tensor([-2.0, -1.5, 3.0]), torch.tensor([2.0, 3.0, -1.0])], "grad": [True, False],
        "pointwise": True})
binary("maximum", torch.maximum, BOTH, pairs([1.0, 2.0, -INF, INF], [1.0, 2.0, 0.0, 3.0]), whole([3, -4], [5, -9]),
       exact=True)
binary("minimum", torch.minimum, BOTH, pairs([1.0, 2.0, -INF, INF], [1.0, 2.0, 0.0, 3.0]), whole([3, -4], [5, -9]),
       exact=True)
binary("atan2", torch.atan2, [((-3, 3), (0.5, 3)), ((0.5, 2), (-3, 3)), ((-300, 300), (-3, -1))],
       pairs([1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]))
binary("hypot", torch.hypot, [((0.1, 3), (-3, 3)), ((300, 999), (-3, 3))], pairs([3.0, 0.0, 1.0], [4.0, 2.0, 0.0]))
binary("xlogy", torch.xlogy, [((-3, 3), (0.2, 3)), ((-0.01, 0.01), (10, 99))],
       pairs([0.0, 2.0, 0.0], [2.0, 1.0, 5.0]))
binary("logaddexp", torch.logaddexp, BOTH, pairs([1e50, 1000.0, -1000.0], [1e50, 999.0, -1001.0]))


@op("where", "binary", lambda ts, a: torch.where(ts[0], ts[1], ts[2]))
def where():
    source = Source("where")
    shapes = [((), (), ()), ((3, 4), (3, 4), (3, 4)), ((3, 1), (4,), ()), ((), (2, 3), (3,)), ((0, 4), (1, 4), (4,)),
              ((17,), (17,), (17,)), ((2, 3), (), (2, 1)), ((3,), (2, 3), (2, 3))]
    for k in range(22):
        c, a, b = shapes[k % len(shapes)]
        yield {"inputs": [source.mask(c), source.uniform(a), source.uniform(b)], "exact": True}
    yield {"inputs": [torch.tensor([True, False, True]), torch.tensor([1.0, NAN, INF]), torch.tensor([NAN, 2.0, -INF])],
           "exact": True}
