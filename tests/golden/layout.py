"""Shape and indexing ops."""

import torch
import torch.nn.functional as F

from cases import INF, NAN, Source, op


def moving(name, run, where, *extra, group="shape", exact=True, count=22):
    """Ops that take one tensor: cases over (shape, attributes), again from the start with other numbers."""

    @op(name, group, run)
    def generate():
        source = Source(name)
        for k in range(max(count, len(where))):
            shape, attrs = where[k % len(where)]
            yield {"inputs": [source.uniform(shape)], "attrs": attrs, "exact": exact}
        yield from extra


def integral(shape, attrs):
    count = torch.Size(shape).numel()
    return {"inputs": [torch.arange(count).reshape(shape)], "attrs": attrs}


moving("reshape", lambda ts, a: ts[0].reshape(a["shape"]),
       [((2, 6), {"shape": [3, 4]}), ((2, 6), {"shape": [-1]}), ((), {"shape": [1, 1]}), ((1,), {"shape": []}),
        ((0, 3), {"shape": [3, 0]}), ((2, 3, 4), {"shape": [4, -1]}), ((12,), {"shape": [2, -1, 3]})],
       integral((2, 3), {"shape": [3, 2]}))
moving("permute", lambda ts, a: ts[0].permute(a["dims"]),
       [((), {"dims": []}), ((3,), {"dims": [0]}), ((3, 4), {"dims": [1, 0]}), ((2, 3, 4), {"dims": [2, 0, 1]}),
        ((2, 3, 4), {"dims": [0, -1, 1]}), ((2, 0, 4), {"dims": [1, 2, 0]}), ((2, 1, 3, 2), {"dims": [3, 1, 0, 2]})],
       integral((2, 3), {"dims": [1, 0]}))
moving("transpose", lambda ts, a: ts[0].transpose(a["dim0"], a["dim1"]),
       [((3,), {"dim0": 0, "dim1": 0}), ((3, 4), {"dim0": 0, "dim1": 1}), ((2, 3, 4), {"dim0": -1, "dim1": 0}),
        ((2, 3, 4), {"dim0": 1, "dim1": -1}), ((2, 0, 4), {"dim0": 0, "dim1": 1}), ((5, 17), {"dim0": 1, "dim1": 0})])
moving("squeeze", lambda ts, a: ts[0].squeeze(a["dim"]) if "dim" in a else ts[0].squeeze(),
       [((), {}), ((1, 3, 1), {}), ((1, 3, 1), {"dim": 0}), ((1, 3, 1), {"dim": -1}), ((1, 3), {"dim": 1}), ((1, 0), {}),
        ((1, 1), {}), ((2, 3), {})])
moving("unsqueeze", lambda ts, a: ts[0].unsqueeze(a["dim"]),
       [((), {"dim": 0}), ((3,), {"dim": -1}), ((2, 3), {"dim": 1}), ((2, 3), {"dim": -3}), ((0, 3), {"dim": 2})])
moving("expand", lambda ts, a: ts[0].expand(a["shape"]),
       [((), {"shape": [2, 3]}), ((3,), {"shape": [2, 3]}), ((2, 1), {"shape": [2, 4]}), ((1, 1), {"shape": [3, 2]}),
        ((2, 3), {"shape": [2, 3]}), ((1, 3), {"shape": [0, 3]}), ((2, 1, 3), {"shape": [4, 2, 2, 3]})])
moving("flatten", lambda ts, a: torch.flatten(ts[0], **a),
       [((), {}), ((3,), {}), ((2, 3, 4), {}), ((2, 3, 4), {"start_dim": 1}), ((2, 3, 4), {"start_dim": -3, "end_dim": -2}),
        ((2, 0, 4), {"start_dim": 1, "end_dim": -1}), ((2, 3), {"start_dim": 1, "end_dim": 1})])


def take(ts, attrs):
    x, dim = ts[0], attrs.get("dim", 0)
    positions = range(x.shape[dim])[slice(attrs.get("start"), attrs.get("end"), attrs.get("step", 1))]
    return x.index_select(dim, torch.tensor(list(positions), dtype=torch.int64))


moving("slice", take,
       [((5,), {"dim": 0, "start": 1, "end": 4}), ((5,), {"step": -1}), ((5,), {"dim": 0, "start": -1, "end": 0, "step": -2}),
        ((2, 7, 3), {"dim": 1, "start": 1, "step": 3}), ((2, 7), {"dim": -1, "start": 5, "end": 2}),
        ((0, 2), {"dim": 0, "start": 0, "end": 9}), ((4,), {"start": -99, "end": 99, "step": 2}), ((4, 3), {"dim": 1, "end": -1}),
        ((6,), {"start": 4, "step": -2}), ((2, 5), {"dim": 1, "start": 99, "end": -99, "step": -3}), ((3, 3), {"dim": -2, "start": 2})])


def joining(name, run, where):
    @op(name, "shape", run)
    def generate():
        source = Source(name)
        for k in range(22):
            shapes, attrs = where[k % len(where)]
            yield {"inputs": [source.uniform(s) for s in shapes], "attrs": attrs, "exact": True}
        yield {"inputs": [source.uniform((2, 3))], "twice": True, "exact": True}


joining("cat", lambda ts, a: torch.cat(ts, a.get("dim", 0)),
        [([(2, 3), (1, 3)], {}), ([(2, 3), (2, 1), (2, 2)], {"dim": 1}), ([(3,)], {"dim": -1}), ([(0, 2), (3, 2)], {"dim": 0}),
         ([(2, 2, 2), (2, 1, 2)], {"dim": -2}), ([(4,), (5,), (1,), (2,)], {})])
joining("stack", lambda ts, a: torch.stack(ts, a.get("dim", 0)),
        [([(2, 3), (2, 3)], {}), ([(2, 3)] * 3, {"dim": 1}), ([()] * 2, {}), ([(3,)] * 2, {"dim": -1}), ([(0, 2)] * 2, {"dim": 2}),
         ([(2, 2)], {"dim": -3})])
moving("split", lambda ts, a: torch.split(ts[0], a["split_size"], a.get("dim", 0)),
       [((5,), {"split_size": 2}), ((4, 3), {"split_size": 2, "dim": 0}), ((2, 7), {"split_size": 3, "dim": 1}),
        ((2, 3), {"split_size": 9, "dim": -1}), ((3,), {"split_size": 1}), ((2, 4, 2), {"split_size": 2, "dim": -2})])
moving("pad", lambda ts, a: F.pad(ts[0], a["pad"], "constant", a.get("value", 0.0)),
       [((3,), {"pad": [1, 2]}), ((2, 3), {"pad": [1, 0, 0, 2], "value": 1.5}), ((2, 3), {"pad": [0, 1]}),
        ((4,), {"pad": [-1, -2]}), ((2, 3), {"pad": [-1, 2, 1, -1], "value": -3.0}), ((2, 2, 2), {"pad": [1, 1, 0, 0, 2, 0]}),
        ((2, 3), {"pad": []}), ((0, 2), {"pad": [1, 1, 1, 0], "value": 0.25})],
       {"inputs": [torch.tensor([1.0, 2.0])], "attrs": {"pad": [1, 1], "value": INF}, "exact": True})
for name in ("tril", "triu"):
    moving(name, lambda ts, a, f=getattr(torch, name): f(ts[0], **a),
           [((3, 3), {}), ((3, 4), {"diagonal": 1}), ((4, 3), {"diagonal": -1}), ((2, 3, 3), {}), ((2, 2), {"diagonal": 9}),
            ((2, 2), {"diagonal": -9}), ((1, 5), {"diagonal": 2}), ((0, 3), {})],
           {"inputs": [torch.tensor([[INF, NAN], [NAN, 1.0]])], "exact": True})
moving("diagonal", lambda ts, a: torch.diagonal(ts[0], **a),
       [((3, 3), {}), ((3, 4), {"offset": 1}), ((4, 3), {"offset": -2}), ((2, 3, 3), {"dim1": 1, "dim2": 2}),
        ((2, 3, 4), {"dim1": -1, "dim2": 0, "offset": -1}), ((2, 2), {"offset": 2}), ((5, 1), {})])
moving("repeat_interleave", lambda ts, a: torch.repeat_interleave(ts[0], a["repeats"], a.get("dim")),
       [((3,), {"repeats": 2}), ((2, 3), {"repeats": 2}), ((2, 3), {"repeats": 3, "dim": 0}), ((2, 3), {"repeats": 1, "dim": -1}),
        ((2, 2, 2), {"repeats": 2, "dim": 1}), ((3,), {"repeats": 0}), ((0, 2), {"repeats": 2, "dim": 1}), ((), {"repeats": 4})])


def indexing(name, run, where, *extra):
    """`where`: shape of x, attributes, shape of the index, shape of what is added (if any)."""

    @op(name, "indexing", run)
    def generate():
        source = Source(name)
        for k in range(22):
            shape, dim, index, *src = where[k % len(where)]
            size = shape[dim] if shape else 1
            inputs = [source.uniform(shape), source.integers(index, 0, max(size, 1))]
            inputs += [source.uniform(s) for s in src]
            yield {"inputs": inputs, "attrs": {"dim": dim}, "exact": not src}
        yield from extra


indexing("index_select", lambda ts, a: ts[0].index_select(a["dim"], ts[1]),
         [((4,), 0, (3,)), ((4, 3), 0, (6,)), ((4, 3), 1, (2,)), ((2, 3, 4), -2, (4,)), ((3, 2), 0, (0,)), ((2, 5), -1, (9,)),
          ((1, 3), 0, (3,))])
indexing("gather", lambda ts, a: ts[0].gather(a["dim"], ts[1]),
         [((4,), 0, (3,)), ((4, 3), 0, (2, 3)), ((4, 3), 1, (4, 5)), ((2, 3, 4), -1, (2, 3, 2)), ((3, 4), 1, (2, 1)),
          ((3, 2), 0, (0, 2)), ((2, 2, 2), 0, (5, 1, 2)), ((), 0, ())])


def scatter_add(ts, attrs):
    """Of a src that is larger than the index PyTorch's backward fails, so only the part that is read goes in."""
    x, index, src = ts
    return x.scatter_add(attrs["dim"], index, src[tuple(slice(0, n) for n in index.shape)])


indexing("scatter_add", scatter_add,
         [((4,), 0, (6,), (6,)), ((4, 3), 0, (2, 3), (2, 3)), ((4, 3), 1, (4, 5), (4, 5)), ((3, 4), 1, (2, 2), (3, 3)),
          ((2, 3, 2), -2, (2, 4, 1), (2, 4, 2)), ((3,), 0, (0,), (2,)), ((2, 2), 0, (5, 2), (5, 2))])
indexing("index_add", lambda ts, a: ts[0].index_add(a["dim"], ts[1], ts[2]),
         [((4,), 0, (6,), (6,)), ((4, 3), 0, (2,), (2, 3)), ((4, 3), 1, (5,), (4, 5)), ((2, 3, 2), -2, (4,), (2, 4, 2)),
          ((3, 2), 0, (0,), (0, 2)), ((2, 2), -1, (3,), (2, 3))])


@op("masked_fill", "indexing", lambda ts, a: ts[0].masked_fill(ts[1], a["value"]))
def masked_fill():
    source = Source("masked_fill")
    where = [((), (), 2.5), ((5,), (5,), -1.0), ((3, 4), (3, 4), 0.0), ((2, 3, 4), (3, 1), 7.0), ((2, 3), (), INF),
             ((0, 3), (1, 3), 1.0), ((2, 2, 2), (2, 1, 2), -INF), ((17,), (17,), NAN)]
    for k in range(22):
        shape, mask, value = where[k % len(where)]
        yield {"inputs": [source.uniform(shape), source.mask(mask)], "attrs": {"value": value}, "exact": True}


@op("embedding", "indexing", lambda ts, a: F.embedding(ts[0], ts[1], a.get("padding_idx")))
def embedding():
    source = Source("embedding")
    where = [((4,), (5, 3), {}), ((), (3, 2), {}), ((2, 3), (4, 5), {}), ((6,), (3, 2), {"padding_idx": 1}),
             ((0,), (4, 3), {"padding_idx": 0}), ((2, 2, 2), (2, 1), {}), ((5,), (4, 2), {"padding_idx": -1}), ((9,), (1, 4), {})]
    for k in range(22):
        index, weight, attrs = where[k % len(where)]
        yield {"inputs": [source.integers(index, 0, weight[0]), source.uniform(weight)], "attrs": attrs, "exact": True}
