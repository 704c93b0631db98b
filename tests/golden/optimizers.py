#!/usr/bin/env python3
"""Makes optimizers.json: trajectories of optimisers and rates of schedules as PyTorch computes them in float64.

  tests/golden/optimizers.py

Each optimiser with each set of options takes 100 steps on the parameters of one small net; the file holds the
parameters after some of the steps. Options are named as in optim/*.h. Runs with PyTorch 1.13 (Debian's
python3-torch) and later.
"""

import json
import math
import pathlib
import warnings

import torch

STEPS = 100
KEPT = [1, 2, 3, 5, 10, 20, 40, 60, 80, 100]

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
generator = torch.Generator().manual_seed(6)


def normal(*shape):
    return torch.randn(*shape, generator=generator)


X, Y = normal(8, 3), normal(8)
W, B, V = normal(3, 4), normal(4), normal(4)


def loss_of(w, b, v):
    return ((torch.tanh(X @ w + b) @ v - Y) ** 2).mean()


class Lion(torch.optim.Optimizer):
    """By algorithm 2 of Chen et al. 2023, Symbolic Discovery of Optimization Algorithms."""

    def __init__(self, params, lr, betas=(0.9, 0.99), weight_decay=0.0, maximize=False):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay, maximize=maximize))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                g = -p.grad if group["maximize"] else p.grad
                update = (beta1 * m + (1 - beta1) * g).sign()
                p.copy_(p - group["lr"] * (update + group["weight_decay"] * p))
                m.copy_(beta2 * m + (1 - beta2) * g)


def nadam(params, **options):
    # PyTorch 1.13's other loop takes mu twice into the product of the next step; later releases agree with this one.
    return torch.optim.NAdam(params, foreach=True, **options)


KINDS = {
    "SGD": torch.optim.SGD,
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "RMSprop": torch.optim.RMSprop,
    "Adagrad": torch.optim.Adagrad,
    "Adadelta": torch.optim.Adadelta,
    "NAdam": nadam,
    "RAdam": torch.optim.RAdam,
    "Lion": Lion,
}

CASES = [
    ("SGD", dict(lr=0.1)),
    ("SGD", dict(lr=0.1, weight_decay=0.02)),
    ("SGD", dict(lr=0.01, maximize=True)),
    ("SGD", dict(lr=0.05, momentum=0.9)),
    ("SGD", dict(lr=0.05, momentum=0.9, dampening=0.3, weight_decay=0.01)),
    ("SGD", dict(lr=0.02, momentum=0.8, nesterov=True, weight_decay=0.01)),
    ("Adam", dict(lr=0.01)),
    ("Adam", dict(lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.03)),
    ("Adam", dict(lr=0.05, betas=(0.5, 0.6), amsgrad=True)),
    ("Adam", dict(lr=0.01, amsgrad=True, weight_decay=0.1, maximize=True)),
    ("AdamW", dict(lr=0.01)),
    ("AdamW", dict(lr=0.03, betas=(0.85, 0.98), weight_decay=0.2)),
    ("AdamW", dict(lr=0.05, betas=(0.5, 0.6), amsgrad=True, maximize=True)),
    ("RMSprop", dict(lr=0.01)),
    ("RMSprop", dict(lr=0.003, alpha=0.9, eps=1e-5, weight_decay=0.02)),
    ("RMSprop", dict(lr=0.005, centered=True)),
    ("RMSprop", dict(lr=0.002, momentum=0.8)),
    ("RMSprop", dict(lr=0.002, momentum=0.7, centered=True, weight_decay=0.1)),
    ("RMSprop", dict(lr=0.005, maximize=True)),
    ("Adagrad", dict(lr=0.1)),
    ("Adagrad", dict(lr=0.2, lr_decay=0.05, weight_decay=0.01, initial_accumulator_value=0.3, eps=1e-6)),
    ("Adagrad", dict(lr=0.05, maximize=True)),
    ("Adadelta", dict()),
    ("Adadelta", dict(lr=2.0, rho=0.7, eps=1e-4, weight_decay=0.05)),
    ("Adadelta", dict(lr=0.5, maximize=True)),
    ("NAdam", dict()),
    ("NAdam", dict(lr=0.008, betas=(0.8, 0.95), weight_decay=0.03, momentum_decay=0.02, eps=1e-6)),
    ("RAdam", dict(lr=0.01)),
    ("RAdam", dict(lr=0.02, betas=(0.8, 0.95), weight_decay=0.05, eps=1e-6)),
    ("Lion", dict(lr=0.003)),
    ("Lion", dict(lr=0.002, betas=(0.8, 0.9), weight_decay=0.3)),
    ("Lion", dict(lr=0.001, maximize=True)),
]

# Steps and options. A line search with a short history has to stay short: once the net fits all samples, many
# parameters do, and a trajectory that starts 1e-15 aside ends elsewhere (9e-4 after 100 steps of this one).
LBFGS = [
    (100, dict(lr=0.1, max_iter=4)),
    (100, dict(lr=0.02, max_iter=2, history_size=2)),
    (100, dict(max_iter=1, line_search_fn="strong_wolfe")),
    (100, dict(max_iter=3, line_search_fn="strong_wolfe")),
    (10, dict(lr=0.5, max_iter=4, max_eval=5, history_size=3, line_search_fn="strong_wolfe")),
]


def flat(params):
    return torch.cat([p.detach().reshape(-1) for p in params]).tolist()


def parameters(scale=1.0):
    return [(x * scale).requires_grad_() for x in (W, B, V)]


def trajectory(name, options, scale=1.0):
    params = parameters(scale)
    optimizer = KINDS[name](params, **options)
    kept = []
    for t in range(1, STEPS + 1):
        optimizer.zero_grad()
        loss_of(*params).backward()
        optimizer.step()
        if t in KEPT:
            kept.append(flat(params))
    return dict(optimizer=name, options=options, values=kept)


def stable(name, options):
    """The trajectory, where one that starts 1e-15 aside stays within 1e-12: else rounding decides, not the formula."""
    result, aside = trajectory(name, options), trajectory(name, options, 1 + 1e-15)
    for values, others in zip(result["values"], aside["values"]):
        if max(abs(a - b) for a, b in zip(values, others)) > 1e-12 * max(map(abs, values)):
            raise SystemExit(f"optimizers.py: {name} with {options} amplifies rounding; take a smaller rate")
    return result


def lbfgs(steps, options, scale=1.0):
    params = parameters(scale)
    optimizer = torch.optim.LBFGS(params, tolerance_grad=0, tolerance_change=0, **options)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(*params)
        loss.backward()
        return loss

    kept, losses, iterations, evaluations = [], [], [], []
    state = optimizer.state[params[0]]
    for t in range(1, steps + 1):
        losses.append(optimizer.step(closure).item())
        iterations.append(state["n_iter"])
        evaluations.append(state["func_evals"])
        if t in KEPT:
            kept.append(flat(params))
    return dict(options=options, values=kept, losses=losses, n_iter=iterations, func_evals=evaluations)


def stable_lbfgs(steps, options):
    """As stable; a line search amplifies rounding more, so that 1e-11 is asked for, and as many evaluations."""
    result, aside = lbfgs(steps, options), lbfgs(steps, options, 1 + 1e-15)
    apart = max(
        max(abs(a - b) for a, b in zip(values, others)) / max(map(abs, values))
        for values, others in zip(result["values"], aside["values"])
    )
    if not apart <= 1e-11 or any(result[key] != aside[key] for key in ("n_iter", "func_evals")):
        raise SystemExit(f"optimizers.py: L-BFGS with {options} amplifies rounding: {apart}")
    return result


def two_groups():
    """Groups with options of their own, and a parameter that has no gradient at every third step."""
    params = parameters()
    optimizer = torch.optim.Adam([dict(params=params[:1]), dict(params=params[1:], lr=0.03, betas=(0.7, 0.9))], lr=0.01)
    kept = []
    for t in range(1, STEPS + 1):
        optimizer.zero_grad(set_to_none=True)
        loss_of(*params).backward()
        if t % 3 == 0:
            params[1].grad = None
        optimizer.step()
        if t in KEPT:
            kept.append(flat(params))
    return kept


def rates(make, eta0, steps=120, momentum=False):
    param = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([param], lr=eta0, momentum=0.5)
    scheduler = make(optimizer)
    values = []
    for _ in range(steps):
        group = optimizer.param_groups[0]
        values.append([group["lr"], group["momentum"]] if momentum else group["lr"])
        optimizer.step()
        scheduler.step()
    return values


def plateau(options, metrics):
    param = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([param], lr=0.1)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    values = []
    for metric in metrics:
        scheduler.step(metric)
        values.append(optimizer.param_groups[0]["lr"])
    return dict(options=options, rates=values)


def schedules():
    s = torch.optim.lr_scheduler
    swa = torch.optim.swa_utils.SWALR
    cycle = dict(total_steps=110)
    return {
        "step_lr": rates(lambda o: s.StepLR(o, 7, 0.8), 0.3),
        "multi_step_lr": rates(lambda o: s.MultiStepLR(o, [5, 30, 30, 80], 0.5), 0.3),
        "exponential_lr": rates(lambda o: s.ExponentialLR(o, 0.97), 0.3),
        "polynomial_lr": rates(lambda o: s.PolynomialLR(o, 100, 1.7), 0.3),
        "linear_lr": rates(lambda o: s.LinearLR(o, 0.1, 0.9, 40), 0.3),
        "constant_lr": rates(lambda o: s.ConstantLR(o, 0.25, 9), 0.3),
        "cosine_annealing_lr": rates(lambda o: s.CosineAnnealingLR(o, 45, 0.01), 0.3),
        "cosine_annealing_warm_restarts": rates(lambda o: s.CosineAnnealingWarmRestarts(o, 9, 2, 0.01), 0.3),
        "cosine_annealing_warm_restarts_even": rates(lambda o: s.CosineAnnealingWarmRestarts(o, 17), 0.3),
        "sequential_lr": rates(
            lambda o: s.SequentialLR(o, [s.LinearLR(o, 0.1, 1.0, 10), s.ExponentialLR(o, 0.95), s.ExponentialLR(o, 0.9)], [10, 60]),
            0.3,
        ),
        "swa_lr": rates(lambda o: swa(o, 0.05, 20), 0.3),
        "swa_lr_linear": rates(lambda o: swa(o, 0.05, 20, "linear"), 0.3),
        "one_cycle_lr": rates(lambda o: s.OneCycleLR(o, 0.3, **cycle), 0.3, 110, True),
        "one_cycle_lr_linear": rates(
            lambda o: s.OneCycleLR(
                o, 0.3, pct_start=0.4, anneal_strategy="linear", div_factor=10, final_div_factor=100,
                base_momentum=0.7, max_momentum=0.9, **cycle), 0.3, 110, True),
        "one_cycle_lr_three_phase": rates(lambda o: s.OneCycleLR(o, 0.3, three_phase=True, **cycle), 0.3, 110, True),
    }


def plateaus():
    metrics = [1 / (1 + 0.1 * k) + 0.05 * math.sin(k) if k < 50 else 0.2 + 1e-5 * (k % 7) for k in range(120)]
    return dict(
        metrics=metrics,
        cases=[
            plateau(dict(patience=3), metrics),
            plateau(dict(patience=1, factor=0.5, cooldown=4, min_lr=0.003), metrics),
            plateau(dict(mode="max", patience=5, threshold=0.01, threshold_mode="abs"), metrics),
            plateau(dict(mode="max", patience=2, factor=0.7, threshold=0.05), metrics),
            plateau(dict(patience=2, threshold=0.02, threshold_mode="abs", eps=1e-3), metrics),
        ],
    )


def main():
    warnings.simplefilter("ignore")
    tables = dict(
        made_by="tests/golden/optimizers.py",
        x=X.tolist(), y=Y.tolist(), w=W.tolist(), b=B.tolist(), v=V.tolist(),
        steps=KEPT,
        trajectories=[stable(name, options) for name, options in CASES],
        two_groups=two_groups(),
        lbfgs=[stable_lbfgs(*case) for case in LBFGS],
        schedules=schedules(),
        plateaus=plateaus(),
    )
    lines = []
    for key, value in tables.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            body = "[\n" + ",\n".join(json.dumps(v) for v in value) + "]"
        else:
            body = json.dumps(value)
        lines.append(f'"{key}": {body}')
    path = pathlib.Path(__file__).parent / "optimizers.json"
    path.write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()
