"""PyTorch and JAX on the benchmark's work, as far as they are installed: one JSON object on standard output.

Times are taken inside Python, so they hold its own cost per op. usage: peers.py [--threads N] [--quick]
"""

import argparse
import importlib.util
import json
import os
import statistics
import sys
import time

RATE = 1e-6
NETS = {
    "online-3-5-1": ([3, 5, 1], "sigmoid", "sigmoid", 1),
    "small-b1": ([2, 16, 16, 1], "tanh", None, 1),
    "small-b64": ([2, 16, 16, 1], "tanh", None, 64),
    "mlp-b1": ([784, 512, 512, 10], "relu", None, 1),
    "mlp-b32": ([784, 512, 512, 10], "relu", None, 32),
    "mlp-b128": ([784, 512, 512, 10], "relu", None, 128),
    "mlp-b1024": ([784, 512, 512, 10], "relu", None, 1024),
    "deep-64x32": ([32] * 65, "relu", None, 32),
}


def median_us(step, seconds):
    """The median over batches of at least a millisecond each."""
    step()
    runs = 1
    while True:
        start = time.perf_counter()
        for _ in range(runs):
            step()
        if time.perf_counter() - start >= 1e-3:
            break
        runs *= 2
    times, begin = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        for _ in range(runs):
            step()
        times.append((time.perf_counter() - start) / runs)
    return statistics.median(times) * 1e6


def torch_steps(threads):
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    layers = {"sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}

    def net_step(sizes, hidden, last, batch):
        modules = []
        for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
            modules.append(torch.nn.Linear(a, b))
            name = hidden if i + 2 < len(sizes) else last
            if name:
                modules.append(layers[name]())
        net = torch.nn.Sequential(*modules)
        sgd = torch.optim.SGD(net.parameters(), lr=RATE)
        x = torch.randn(batch, sizes[0])
        classes = sizes[-1] == 10
        y = torch.randint(10, (batch,)) if classes else torch.randn(batch, sizes[-1])
        loss_of = functional.cross_entropy if classes else functional.mse_loss

        def step():
            sgd.zero_grad(set_to_none=True)
            loss_of(net(x), y).backward()
            sgd.step()

        return step

    for name, net in NETS.items():
        yield name, net_step(*net)
    x = torch.randn(1 << 20, requires_grad=True)

    def chain():
        y = (torch.tanh(x * 0.7 + 0.1) * torch.sigmoid(x) - torch.exp(-x * x)).sum()
        torch.autograd.grad(y, x)

    yield "chain-1m", chain
    rows, g = torch.randn(512, 1000, requires_grad=True), torch.randn(512, 1000)
    yield "softmax", lambda: torch.autograd.grad(torch.softmax(rows, -1), rows, g)
    yield "log-softmax", lambda: torch.autograd.grad(torch.log_softmax(rows, -1), rows, g)
    p = torch.full((), 0.5, requires_grad=True)

    def overhead():
        x = p
        for _ in range(1000):
            x = x * 1.0001
        torch.autograd.grad(x, p)

    yield "op-overhead", overhead


def jax_steps(threads):
    os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    import jax
    import jax.numpy as jnp
    import numpy

    rng = numpy.random.default_rng(1)
    activations = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu, None: lambda z: z}

    def draw(*shape):
        return jnp.asarray(rng.standard_normal(shape, dtype=numpy.float32))

    def net_step(sizes, hidden, last, batch):
        weights = [(draw(a, b) * (2 / a) ** 0.5, draw(b)) for a, b in zip(sizes, sizes[1:])]
        classes = sizes[-1] == 10
        x = draw(batch, sizes[0])
        y = jnp.asarray(rng.integers(0, 10, batch)) if classes else draw(batch, sizes[-1])

        def loss(weights):
            a = x
            for i, (w, b) in enumerate(weights):
                a = activations[hidden if i + 1 < len(weights) else last](a @ w + b)
            if classes:
                return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(a), y[:, None], 1))
            return jnp.mean((a - y) ** 2)

        @jax.jit
        def update(weights):
            return jax.tree_util.tree_map(lambda p, g: p - RATE * g, weights, jax.grad(loss)(weights))

        state = [weights]

        def step():
            state[0] = jax.block_until_ready(update(state[0]))

        return step

    for name, net in NETS.items():
        yield name, net_step(*net)
    x = draw(1 << 20)
    chain = jax.jit(jax.grad(lambda x: jnp.sum(jnp.tanh(x * 0.7 + 0.1) * jax.nn.sigmoid(x) - jnp.exp(-x * x))))
    yield "chain-1m", lambda: chain(x).block_until_ready()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    result = {}
    for name, steps in (("torch", torch_steps), ("jax", jax_steps)):
        if importlib.util.find_spec(name) is None:
            continue
        try:
            cases = {case: median_us(step, 0.1 if options.quick else 1.0) for case, step in steps(options.threads)}
            result[name] = {"version": str(sys.modules[name].__version__), "us": cases}
        except Exception as error:  # an installation that does not work is no peer
            print(f"peers.py: {name}: {error}", file=sys.stderr)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
