#!/usr/bin/env python3
"""Makes the golden cases: op graphs with the values and gradients that PyTorch computes in float64.

  tests/golden/generate.py                          every op of the format, into this folder
  tests/golden/generate.py --ops "$(./run graph --ops)"   only what the library has
  tests/golden/generate.py --group losses           only the file of one group

One file per group of the format's table, and graphs.jsonl with random graphs of several ops. The numbers depend on the
name of the op and of the case alone, so a new op changes no other op's cases; graphs.jsonl draws from all ops allowed.
Runs with PyTorch 1.13 (Debian's python3-torch) and later.
"""

import argparse
import gzip
import pathlib
import sys

import torch

import layout  # noqa: F401
import linear  # noqa: F401
import networks  # noqa: F401
import pointwise  # noqa: F401
import reductions  # noqa: F401
from cases import OPS, dump, single
from graphs import random_graphs

GROUPS = list(dict.fromkeys(group for group, _, _ in OPS.values())) + ["graphs"]


def cases_of(name):
    group, run, generate = OPS[name]
    for k, case in enumerate(generate()):
        yield single(name, k, run, **case)


def lines_of(group, allowed, graphs):
    if group == "graphs":
        return [dump(line) for line in random_graphs(graphs, allowed)]
    return [dump(line) for name in OPS if OPS[name][0] == group and name in allowed for line in cases_of(name)]


def names_in(text):
    names = set(text.replace(",", " ").split())
    unknown = sorted(names - set(OPS))
    if unknown:
        sys.exit(f"generate.py: no cases for {', '.join(unknown)}; it knows {' '.join(OPS)}")
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", action="append", choices=GROUPS, help="only this group's file; may be repeated")
    parser.add_argument("--ops", help="only these ops, separated by spaces or commas")
    parser.add_argument("--without", default="", help="not these ops, or parts of their cases such as cross_entropy/options")
    parser.add_argument("--graphs", type=int, default=300, help="how many random graphs (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent, help="folder of the files")
    options = parser.parse_args()
    torch.set_num_threads(1)
    allowed = set(OPS)
    if options.ops is not None:
        asked = names_in(options.ops)
        allowed = {name for name in OPS if name.partition("/")[0] in asked}
    allowed -= names_in(options.without)
    options.out.mkdir(parents=True, exist_ok=True)
    for group in options.group or GROUPS:
        lines = lines_of(group, allowed, options.graphs)
        path = options.out / f"{group}.jsonl"
        if not lines:
            print(f"{path}: no op of it asked for, left as it is")
            continue
        text = "".join(line + "\n" for line in lines).encode()
        path.write_bytes(text)
        print(f"{path}: {len(lines)} cases, {len(text)} bytes, {len(gzip.compress(text))} gzipped")


if __name__ == "__main__":
    main()
