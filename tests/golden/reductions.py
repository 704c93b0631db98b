"""Reductions, and ops along one dim."""

import math

import torch

from cases import INF, NAN, Source, op

WHERE = [((), {}), ((1,), {}), ((5,), {"dim": [0]}), ((2, 3), {}), ((2, 3), {"dim": [1]}),
         ((2, 3), {"dim": [0], "keepdim": True}), ((2, 3, 4), {"dim": [1]}), ((2, 3, 4), {"dim": [0, 2]}),
         ((2, 3, 4), {"dim": [-1], "keepdim": True}), ((3, 2), {"keepdim": True}), ((2, 3, 4), {"dim": [0, -1, 1]}),
         ((1, 4), {"dim": [0]}), ((19,), {}), ((4, 5), {"dim": [-2]}), ((2, 1, 3), {"dim": [1, 2]}),
         ((3, 3), {"dim": [0, 1], "keepdim": True}), ((2, 2, 2), {"dim": [2]}), ((7,), {"dim": [-1], "keepdim": True}),
         ((2, 9), {"dim": [1]}), ((9, 2), {"dim": [0]}), ((4, 2, 3), {"dim": [1, 0]}), ((33,), {"keepdim": True})]


def dims_of(x, attrs):
    dims = attrs.get("dim")
    return list(range(x.dim())) if dims is None else dims


def reduction(name, run, data, *extra, exact=False, variants=({},)):
    @op(name, "reductions", lambda ts, a: run(ts[0], dims_of(ts[0], a), a.get("keepdim", False), a))
    def generate():
        source = Source(name)
        for variant in variants:
            for k, (shape, attrs) in enumerate(WHERE):
                if len(variants) > 1 and k % len(variants) == len(variants) - 1 and k > 8:
                    continue
                yield {"inputs": [data(source, shape)], "attrs": {**attrs, **variant}, "exact": exact}
        yield from extra


def case(values, attrs=None, **more):
    return {"inputs": [torch.tensor(values)], "attrs": attrs or {}, **more}


def empty(shape, attrs, **more):
    return {"inputs": [torch.zeros(shape)], "attrs": attrs, **more}


def usual(source, shape):
    return source.uniform(shape, -3, 3)


def distinct(source, shape):
    return source.distinct(shape)


def product(x, dims, keepdim, _):
    for d in sorted((d % max(x.dim(), 1) for d in dims), reverse=True):
        x = torch.prod(x, d, keepdim)
    return x if x.dim() or keepdim else torch.prod(x)


def over(f):
    """PyTorch's function of a list of dims; 0-d has none to list."""
    return lambda x, dims, keepdim, a: f(x, dims, keepdim)


EMPTY = [empty((0, 3), {"dim": [0]}), empty((2, 0), {})]
reduction("sum", over(lambda x, d, k: torch.sum(x, d, k)), usual, *EMPTY, case([1.0, NAN, 2.0]), case([INF, 1.0, -2.0]))
reduction("mean", over(lambda x, d, k: torch.mean(x, d, k)), usual, empty((0, 3), {"dim": [1]}), case([1.0, NAN, 2.0]))
reduction("prod", product, usual, *EMPTY, case([2.0, 0.0, 3.0]), case([[2.0, 0.0, 3.0, 0.0], [1.0, 2.0, 3.0, 4.0]], {"dim": [1]}))
# Ties share evenly; NaN wins.
reduction("amax", over(lambda x, d, k: torch.amax(x, d, k)), distinct, case([2.0, 5.0, 5.0, 1.0]),
          case([[1.0, 1.0], [0.0, 3.0]], {"dim": [1]}), case([-INF, -1.0]), exact=True)
reduction("amin", over(lambda x, d, k: torch.amin(x, d, k)), distinct, case([2.0, 1.0, 5.0, 1.0]),
          case([[1.0, 1.0], [0.0, 3.0]], {"dim": [1]}), case([INF, -1.0]), exact=True)
# PyTorch has the gradients e^(x − y) = 1 and 1 here, where y = x rounds ln 2 away; the library's sum to 1.
HUGE_PAIR = case([1e50, 1e50], gradients={"x": [0.5, 0.5]})
reduction("logsumexp", over(lambda x, d, k: torch.logsumexp(x, d, k)), usual, case([1000.0, 999.0, -1000.0]),
          case([-INF, 1.0, 2.0]), HUGE_PAIR, case([[-700.0, -701.0], [700.0, 701.0]], {"dim": [1]}))


def spread(f):
    return lambda x, d, k, a: f(x, d, correction=a.get("correction", 1), keepdim=k)


# With one element left over from the correction PyTorch's backward raises; the library has NaN.
ALONE = case([3.5], gradients={"x": [NAN]}, expect=NAN)
for moment in (torch.var, torch.std):
    reduction(moment.__name__, lambda x, d, k, a, f=moment: spread(f)(x, d, k, a) if x.dim() else f(x.reshape(1), 0, correction=a.get("correction", 1)),
              lambda source, shape: source.uniform(shape if len(shape) > 0 else (), -3, 3),
              case([1e6, 1e6 + 1, 1e6 + 2]), ALONE, variants=({}, {"correction": 0}))


def vector_norm(x, dims, keepdim, attrs):
    return torch.linalg.vector_norm(x, attrs.get("p", 2.0), dims if x.dim() else None, keepdim)


# PyTorch's squares overflow and underflow here; the library scales.
ROOT = math.sqrt(0.5)
reduction("norm", vector_norm, lambda source, shape: source.distinct(shape) + 0.05, case([0.0, 0.0, 0.0]),
          case([3.0, -4.0]), case([1e200, 1e200], gradients={"x": [ROOT, ROOT]}, expect=math.sqrt(2) * 1e200),
          case([1e-200, -1e-200], gradients={"x": [ROOT, -ROOT]}, expect=math.sqrt(2) * 1e-200),
          variants=({}, {"p": 1.0}, {"p": 3.0}, {"p": INF}, {"p": 1.5}))


def first_extreme(x, dim, largest):
    """The first index of the extreme along dim; NaN is one. PyTorch leaves open which of equals it takes."""
    key = torch.where(torch.isnan(x), torch.full_like(x, INF), x if largest else -x)
    at = key == key.amax(dim, True)
    at = torch.where(torch.isnan(x).any(dim, True), torch.isnan(x), at)
    position = torch.arange(x.shape[dim]).reshape([-1 if d == dim % x.dim() else 1 for d in range(x.dim())])
    return torch.where(at, position, x.shape[dim]).amin(dim, True)


def choosing(largest):
    def run(ts, attrs):
        x = ts[0]
        if x.dim() == 0:
            return x * 1, torch.tensor(0)
        index = first_extreme(x.detach(), attrs["dim"], largest)
        values = torch.gather(x, attrs["dim"], index)
        return (values, index) if attrs.get("keepdim") else (values.squeeze(attrs["dim"]), index.squeeze(attrs["dim"]))
    return run


def place(largest):
    def run(ts, attrs):
        x = ts[0].detach().double()
        dim, keep = attrs.get("dim"), attrs.get("keepdim", False)
        if x.dim() == 0:
            return torch.tensor(0)
        if dim is None:
            index = first_extreme(x.reshape(-1), 0, largest).reshape(())
            return index.reshape([1] * x.dim()) if keep else index
        index = first_extreme(x, dim, largest)
        return index if keep else index.squeeze(dim)
    return run


ALONG = [((), 0), ((5,), 0), ((2, 3), 1), ((2, 3), 0), ((2, 3, 4), 1), ((2, 3, 4), -1), ((3, 1), 1), ((1, 4), -2),
         ((17,), -1), ((4, 5), 0), ((2, 9), 1), ((3, 2, 2), 0)]
for name, largest in (("max", True), ("min", False)):
    @op(name, "reductions", choosing(largest))
    def generate(name=name):
        source = Source(name)
        for keepdim in ({}, {"keepdim": True}):
            for shape, dim in ALONG:
                yield {"inputs": [source.distinct(shape)], "attrs": {"dim": dim, **keepdim}, "exact": True}
        for values in ([2.0, 5.0, 5.0, 1.0, 1.0], [1.0, NAN, 9.0, NAN], [-INF, INF, INF]):
            yield case(values, {"dim": 0}, exact=True)

    @op("arg" + name, "reductions", place(largest))
    def generate_place(name=name):
        source = Source("arg" + name)
        for keepdim in ({}, {"keepdim": True}):
            for k, (shape, dim) in enumerate(ALONG):
                yield {"inputs": [source.distinct(shape)], "attrs": {**({} if k % 3 == 2 else {"dim": dim}), **keepdim}}
        for values in ([2.0, 5.0, 5.0, 1.0, 1.0], [1.0, NAN, 9.0, NAN], [-INF, INF, INF]):
            yield case(values)
        yield {"inputs": [torch.tensor([[3, 1], [3, 0]])], "attrs": {"dim": 0}}


def scan(name, run, data, *extra, exact=False):
    @op(name, "along_dim", lambda ts, a: run(ts[0], **a))
    def generate():
        source = Source(name)
        for k in range(22):
            shape, dim = ALONG[k % len(ALONG)]
            yield {"inputs": [data(source, shape)], "attrs": {"dim": dim}, "exact": exact}
        yield {"inputs": [torch.zeros(2, 0)], "attrs": {"dim": 1}}
        yield from extra


scan("log_softmax", torch.log_softmax, usual, case([1e4, -1e4, 9999.0], {"dim": 0}))
scan("softmax", torch.softmax, usual, case([1e4, -1e4, 9999.0], {"dim": 0}), case([-INF, 1.0, 2.0], {"dim": 0}))
scan("cumsum", torch.cumsum, usual, case([1.0, NAN, 2.0], {"dim": 0}))
scan("cumprod", torch.cumprod, usual, case([2.0, 0.0, 3.0, 4.0], {"dim": 0}),
     case([[2.0, 0.0, 3.0, 0.0, 5.0], [1.0, 2.0, 0.0, 0.0, 3.0]], {"dim": 1}))
scan("logcumsumexp", torch.logcumsumexp, usual, case([700.0, 701.0, -700.0], {"dim": 0}))


@op("sort", "along_dim", lambda ts, a: tuple(torch.sort(ts[0], dim=a.get("dim", -1), descending=a.get("descending", False), stable=True)))
def sort():
    source = Source("sort")
    for k in range(22):
        shape, dim = ALONG[k % len(ALONG)]
        attrs = [{"dim": dim}, {"dim": dim, "descending": True}, {}][k % 3]
        yield {"inputs": [source.distinct(shape)], "attrs": attrs, "exact": True}
    yield case([2.0, 1.0, 2.0, 1.0, 2.0], exact=True)
    yield case([2.0, 1.0, 2.0, 1.0, 2.0], {"descending": True}, exact=True)
    yield case([INF, NAN, -INF, 0.0], exact=True)


@op("flip", "along_dim", lambda ts, a: torch.flip(ts[0], a["dims"]))
def flip():
    source = Source("flip")
    where = [((), []), ((5,), [0]), ((2, 3), [1]), ((2, 3), [0, 1]), ((2, 3), []), ((2, 3, 4), [-1]), ((2, 3, 4), [0, 2]),
             ((1, 4), [-2]), ((0, 3), [0]), ((17,), [-1])]
    for k in range(22):
        shape, dims = where[k % len(where)]
        yield {"inputs": [source.uniform(shape)], "attrs": {"dims": dims}, "exact": True}


@op("roll", "along_dim", lambda ts, a: torch.roll(ts[0], a["shifts"], a.get("dims", ())))
def roll():
    source = Source("roll")
    where = [((5,), {"shifts": [2]}), ((5,), {"shifts": [-7], "dims": [0]}), ((3, 4), {"shifts": [5]}),
             ((3, 4), {"shifts": [1, -1], "dims": [0, 1]}), ((2, 3, 4), {"shifts": [2], "dims": [-2]}),
             ((2, 3), {"shifts": [3], "dims": [1]}), ((0, 3), {"shifts": [1], "dims": [0]}),
             ((2, 3, 4), {"shifts": [1, 2, 3], "dims": [2, 0, 1]}), ((17,), {"shifts": [0]}), ((1,), {"shifts": [4]})]
    for k in range(22):
        shape, attrs = where[k % len(where)]
        yield {"inputs": [source.uniform(shape)], "attrs": attrs, "exact": True}
