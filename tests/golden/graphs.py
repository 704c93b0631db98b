"""Random graphs of several ops."""

import torch

from cases import OPS, Graph, Source

SMOOTH = ["neg", "square", "exp", "sin", "cos", "atan", "tanh", "sigmoid", "erf", "softplus", "silu", "mish", "gelu",
          "abs", "relu", "leaky_relu", "elu", "asinh", "sinh", "expm1", "erfc", "selu", "exp2"]
BINARY = ["add", "sub", "mul", "maximum", "minimum", "hypot", "logaddexp", "atan2"]
REDUCING = ["sum", "mean", "amax", "amin", "logsumexp", "prod", "var", "norm"]
ALONG = ["softmax", "log_softmax", "cumsum", "cumprod", "logcumsumexp", "sort", "max", "min"]
SHAPING = ["reshape", "permute", "transpose", "unsqueeze", "squeeze", "flatten", "flip", "roll", "slice", "pad", "tril",
           "triu", "expand", "repeat_interleave", "split", "diagonal"]
JOINING = ["cat", "stack"]
WITH_INPUT = ["matmul", "linear", "index_select", "gather", "masked_fill", "index_add", "scatter_add", "einsum",
              "layer_norm"]
MOST_ELEMENTS = 48


def broadcasts(a, b):
    try:
        return torch.broadcast_shapes(a.shape, b.shape).numel() <= MOST_ELEMENTS
    except RuntimeError:
        return False


class Maker:
    def __init__(self, name, allowed):
        self.source = Source(name)
        self.random = self.source.random
        self.graph = Graph(name, self.source)
        self.allowed = allowed
        self.pool = []  # values that the next op may take

    def pick(self, names):
        """One op of the group, if the library has any of it."""
        names = [n for n in names if n in self.allowed]
        return self.random.choice(names) if names else None

    def value(self, condition=lambda v: True):
        names = [n for n in self.pool if condition(self.graph.values[n])]
        # Later ones first, so that graphs grow deep.
        return names[-1 - min(int(self.random.expovariate(0.7)), len(names) - 1)] if names else None

    def add(self, op, names, attrs=None):
        """Adds the node unless it leaves the range in which rounding stays small."""
        run = OPS[op][1]
        try:
            results = run([self.graph.values[n] for n in names], attrs or {})
        except (RuntimeError, IndexError):  # a rank that the op does not take
            return False
        results = results if isinstance(results, tuple) else (results,)
        for r in results:
            if r.numel() == 0 or r.numel() > MOST_ELEMENTS or r.dim() > 4:
                return False
            if r.dtype.is_floating_point and not (torch.isfinite(r).all() and r.abs().max() < 50):
                return False
        for name in self.graph.node(op, run, names, attrs):
            if self.graph.values[name].dtype.is_floating_point:
                self.pool.append(name)
        return True

    def some_dim(self, v):
        return self.random.randrange(-v.dim(), v.dim())

    def step(self):
        group = self.random.choice([SMOOTH, SMOOTH, BINARY, BINARY, REDUCING, ALONG, SHAPING, SHAPING, JOINING, WITH_INPUT,
                                    WITH_INPUT])
        op = self.pick(group)
        if op is None:
            return False
        if group is BINARY:
            a = self.value()
            b = self.value(lambda v: broadcasts(self.graph.values[a], v))
            names = [a, b] if self.random.random() < 0.5 else [b, a]
            return self.add(op, names)
        if group is JOINING:
            a = self.value(lambda v: v.dim() > 0 and v.numel() <= 16)
            if a is None:
                return False
            b = self.value(lambda v: v.shape == self.graph.values[a].shape)
            return self.add(op, [a, b], {"dim": self.some_dim(self.graph.values[a])})
        if group is WITH_INPUT:
            return self.with_input(op)
        name = self.value(lambda v: v.dim() > 0)
        if name is None:
            return False
        v = self.graph.values[name]
        return self.add(op, [name], self.attributes(op, group, v))

    def attributes(self, op, group, v):
        dim = self.some_dim(v)
        if group is SMOOTH:
            return {}
        if group is REDUCING:
            attrs = self.random.choice([{}, {"dim": [dim]}, {"dim": [dim], "keepdim": True}])
            if op == "var":
                attrs = {**attrs, "correction": 0}
            return attrs
        if group is ALONG:
            return {"dim": dim}
        size = v.shape[dim]
        order = list(range(v.dim()))
        self.random.shuffle(order)
        return {
            "reshape": lambda: {"shape": [-1, v.shape[-1]]}, "permute": lambda: {"dims": order},
            "transpose": lambda: {"dim0": dim, "dim1": 0}, "unsqueeze": lambda: {"dim": dim}, "squeeze": lambda: {},
            "flatten": lambda: {"start_dim": self.random.choice([0, -1])}, "flip": lambda: {"dims": [dim]},
            "roll": lambda: {"shifts": [self.random.randrange(-3, 4)], "dims": [dim]},
            "slice": lambda: {"dim": dim, "start": self.random.randrange(size), "step": self.random.choice([1, 2, -1])},
            "pad": lambda: {"pad": [self.random.randrange(3), self.random.randrange(-1, 2)], "value": 0.5},
            "tril": lambda: {"diagonal": self.random.randrange(-1, 2)},
            "triu": lambda: {"diagonal": self.random.randrange(-1, 2)},
            "expand": lambda: {"shape": [2, *v.shape]}, "repeat_interleave": lambda: {"repeats": 2, "dim": dim},
            "split": lambda: {"split_size": max(1, size - 1), "dim": dim}, "diagonal": lambda: {},
        }[op]()

    def with_input(self, op):
        name = self.value(lambda v: v.dim() >= (2 if op in ("einsum", "gather", "scatter_add") else 1))
        if name is None or len(self.graph.inputs) > 8:
            return False
        v = self.graph.values[name]
        s, last, dim = self.source, v.shape[-1], self.some_dim(v)
        size = v.shape[dim]
        fresh, attrs = {
            "matmul": lambda: ([s.uniform((last, 3), -1, 1)], {}),
            "linear": lambda: ([s.uniform((2, last), -1, 1), s.uniform((2,))], {}),
            "einsum": lambda: ([s.uniform((last, 2), -1, 1)], {"equation": "...ij,jk->...ik"}),
            "layer_norm": lambda: ([s.uniform((last,)), s.uniform((last,))], {"normalized_shape": [last], "eps": 0.1}),
            "index_select": lambda: ([s.integers((3,), 0, size)], {"dim": dim}),
            "gather": lambda: ([s.integers(v.shape, 0, size)], {"dim": dim}),
            "scatter_add": lambda: ([s.integers(v.shape, 0, size), s.uniform(v.shape)], {"dim": dim}),
            "index_add": lambda: ([s.integers((size,), 0, size), s.uniform(v.shape)], {"dim": dim}),
            "masked_fill": lambda: ([s.mask(v.shape)], {"value": 0.25}),
        }[op]()
        before = len(self.graph.inputs)
        names = [self.graph.input(t) for t in fresh]
        if self.add(op, [name, *names], attrs):
            return True
        for n in names:
            del self.graph.values[n]
        del self.graph.inputs[before:]
        return False

    def make(self):
        for _ in range(self.random.randrange(1, 4)):
            shape = self.random.choice([(2, 3), (3,), (2, 2, 2), (4,), (3, 3), (1, 4), ()])
            self.pool.append(self.graph.input(self.source.uniform(shape, -1.5, 1.5)))
        wanted = self.random.randrange(3, 14)
        for _ in range(20 * wanted):
            if len(self.graph.nodes) < wanted:
                self.step()
        used = {n for node in self.graph.nodes for n in node["inputs"]}
        outputs = [n for n in self.pool if n not in used][-4:] or [self.pool[-1]]
        if self.random.random() < 0.15:
            outputs.append(outputs[0])  # listed twice: contributions add
        if self.random.random() < 0.15:
            outputs.append(self.random.choice(self.pool))  # perhaps one that is used, or an input
        return self.graph.case(outputs)


def random_graphs(count, allowed):
    for k in range(count):
        line = Maker(f"graph_{k}", allowed).make()
        # hypot and atan2 at (0, 0), where PyTorch has NaN and the library 0.
        if any("nan" in g["expect"] for g in line.get("grads", [])):
            line = Maker(f"graph_{k}_without_poles", allowed).make()
        yield line
