"""How one case is made: PyTorch runs a graph in float64 and its values and gradients become the expectations."""

import json
import math
import random
import zlib

import torch

torch.set_default_dtype(torch.float64)
NAN, INF = math.nan, math.inf


class Source:
    """Seeded numbers with few digits, which keep the files small. Its own generator, so that they are the same
    with every version of PyTorch."""

    def __init__(self, seed):
        self.random = random.Random(zlib.crc32(seed.encode()))

    def uniform(self, shape, low=-2.0, high=2.0):
        """Rounded so that at least four digits remain of the range."""
        digits = max(0, 3 - math.floor(math.log10(high - low)))
        count = math.prod(shape)
        return torch.tensor([round(self.random.uniform(low, high), digits) for _ in range(count)]).reshape(shape)

    def distinct(self, shape, step=0.173):
        """Shuffled values at least 0.9 of a step apart, for ops that choose."""
        count = math.prod(shape)
        order = self.random.sample(range(count), count)
        return torch.tensor([round((k - count / 2) * step, 4) for k in order], dtype=torch.float64).reshape(shape)

    def integers(self, shape, low, high):
        count = math.prod(shape)
        return torch.tensor([self.random.randrange(low, high) for _ in range(count)], dtype=torch.int64).reshape(shape)

    def mask(self, shape):
        return self.integers(shape, 0, 2).bool()

    def choice(self, values):
        return self.random.choice(values)

    def cotangent(self, shape):
        """Signed, and never 0, where the pole rule of the library would differ."""
        count = math.prod(shape)
        values = [round(self.random.uniform(0.3, 2.0), 2) * self.random.choice([-1, 1]) for _ in range(count)]
        return torch.tensor(values, dtype=torch.float64).reshape(shape)


def number(v):
    if math.isnan(v):
        return "nan"
    if math.isinf(v):
        return "inf" if v > 0 else "-inf"
    return v


def flat(t):
    if t.dtype == torch.bool:
        return [int(v) for v in t.flatten().tolist()]
    if t.dtype == torch.int64:
        return t.flatten().tolist()
    return [number(v) for v in t.detach().flatten().tolist()]


def dtype_name(t):
    return {torch.float64: "float64", torch.float32: "float32", torch.int64: "int64", torch.bool: "bool"}[t.dtype]


def largest(t):
    """The largest finite magnitude."""
    finite = t.detach().double()[torch.isfinite(t.detach().double())]
    return float(finite.abs().max()) if finite.numel() else 0.0


def tolerance(expect, exact, around):
    """1e-12 of the tensor's largest magnitude; and a few roundings of the numbers that went in, where sums of them
    may cancel. Rounded up to two digits."""
    if exact or not expect.dtype.is_floating_point:
        return 0
    tol = 1e-12 * largest(expect) + 2e-15 * around
    if tol == 0:
        return 0
    digits = 1 - math.floor(math.log10(tol))
    return math.ceil(tol * 10**digits) / 10**digits if digits < 300 else tol


class Graph:
    """Built node by node, each run by PyTorch at once."""

    def __init__(self, name, source):
        self.name, self.source = name, source
        self.inputs, self.nodes, self.values = [], [], {}

    def input(self, tensor, grad=None):
        name = "xyzwuabcdefg"[len(self.inputs)] if len(self.inputs) < 12 else f"x{len(self.inputs)}"
        value = tensor.clone()
        floating = value.dtype.is_floating_point
        value.requires_grad_(floating and grad is not False)
        self.inputs.append(name)
        self.values[name] = value
        return name

    def node(self, op, run, names, attrs=None):
        results = run([self.values[n] for n in names], attrs or {})
        if isinstance(results, torch.Tensor):
            results = (results,)
        outputs = []
        for result in results:
            outputs.append(f"v{len(self.values) - len(self.inputs)}")
            self.values[outputs[-1]] = result
        entry = {"op": op, "inputs": list(names)}
        if attrs:
            entry["attrs"] = {k: number(v) if isinstance(v, float) else v for k, v in attrs.items()}
        entry["outputs"] = outputs
        self.nodes.append(entry)
        return outputs

    def case(self, outputs, exact=False, pointwise=False, gradients=None, expect=None):
        """The line of the file. `gradients` and `expect` replace PyTorch's values (by input, by output) where the
        library deviates knowingly; `exact`: the outputs need no tolerance; `pointwise`: no sums that may cancel."""
        cotangents = {}
        for name in outputs:
            value = self.values[name]
            if value.dtype.is_floating_point and value.requires_grad:
                cotangents.setdefault(name, self.source.cotangent(value.shape))
        taking_part = [n for n in outputs if n in cotangents]  # twice if listed twice
        grads = {}
        leaves = [n for n in self.inputs if self.values[n].requires_grad]
        if taking_part and gradients is None:
            found = torch.autograd.grad([self.values[n] for n in taking_part], [self.values[n] for n in leaves],
                                        [cotangents[n] for n in taking_part], allow_unused=True)
            grads = {n: g for n, g in zip(leaves, found) if g is not None}
        elif gradients is not None:
            # A replacement is given for a cotangent of 1, element by element.
            grads = {n: torch.as_tensor(g) * cotangents[outputs[0]] for n, g in gradients.items()}
        # 1e300 among the inputs says nothing about the sums.
        around = 0 if pointwise else max([largest(t) for t in self.values.values()] + [0])
        if around > 1e6:
            around = 0
        line = {"format": "op-graph/1", "name": self.name, "inputs": [], "nodes": self.nodes, "outputs": []}
        for name in self.inputs:
            value = self.values[name]
            entry = {"name": name, "dtype": dtype_name(value), "shape": list(value.shape), "data": flat(value)}
            if value.requires_grad:
                entry["grad"] = True
            line["inputs"].append(entry)
        for name in outputs:
            value = self.values[name]
            wanted = value if expect is None else torch.as_tensor(expect, dtype=value.dtype).reshape(value.shape)
            entry = {"name": name}
            if name in cotangents:
                entry["cotangent"] = flat(cotangents[name])
            entry.update(shape=list(value.shape), expect=flat(wanted), tol=tolerance(wanted, exact, around))
            line["outputs"].append(entry)
        if grads:
            line["grads"] = [{"name": n, "expect": flat(g), "tol": tolerance(g, False, around)}
                             for n, g in grads.items()]
        return line


def single(entry, number_, run, inputs, attrs=None, grad=None, twice=False, **more):
    """A case of one op. `grad`: which inputs have gradients (all floating ones by default); `twice`: the one input is
    both operands."""
    op = entry.partition("/")[0]
    name = f"{entry.replace('/', '_')}_{number_}"
    graph = Graph(name, Source(f"{name} cotangent"))
    names = [graph.input(t, None if grad is None else grad[i]) for i, t in enumerate(inputs)]
    outputs = graph.node(op, run, names * 2 if twice else names, attrs)
    return graph.case(outputs, **more)


def dump(line):
    return json.dumps(line, allow_nan=False, separators=(",", ":"))


OPS = {}  # name: (group, run, the arguments of `single` for each case)


def op(name, group, run):
    """Registers what follows as the cases of an op; a case is a dict for `single`, without op, number and run. An entry
    "op/part" holds more cases of the same op, which can be left out."""

    def register(generate):
        OPS[name] = (group, run, generate)
        return generate

    return register
