"""Products, convolutions and pooling."""

import torch
import torch.nn.functional as F

from cases import Source, op


def of_shapes(name, group, run, where, count=22, low=-2.0, high=2.0, exact=False, data=None):
    """Cases over (shapes of the operands, attributes), again from the start with other numbers."""

    @op(name, group, run)
    def generate():
        source = Source(name)
        make = data or (lambda s, shape: s.uniform(shape, low, high))
        for k in range(max(count, len(where))):
            shapes, *attrs = where[k % len(where)]
            yield {"inputs": [make(source, s) for s in shapes], "attrs": attrs[0] if attrs else {}, "exact": exact}


ALGEBRA = "linear_algebra"
of_shapes("matmul", ALGEBRA, lambda ts, a: torch.matmul(*ts),
          [([(2, 3), (3, 4)],), ([(3,), (3,)],), ([(3,), (3, 2)],), ([(2, 3), (3,)],), ([(2, 2, 3), (2, 3, 2)],),
           ([(2, 1, 2, 3), (3, 3, 2)],), ([(2, 3), (2, 3, 2)],), ([(2, 0), (0, 3)],), ([(3,), (2, 3, 2)],), ([(2, 2, 3), (3,)],),
           ([(5, 7), (7, 5)],), ([(1, 1), (1, 1)],), ([(0, 2), (2, 3)],)])
of_shapes("linear", ALGEBRA, lambda ts, a: F.linear(*ts),
          [([(3, 4), (2, 4), (2,)],), ([(3, 4), (2, 4)],), ([(4,), (2, 4), (2,)],), ([(2, 3, 4), (5, 4), (5,)],), ([(0, 4), (2, 4), (2,)],),
           ([(3, 0), (2, 0), (2,)],), ([(1, 1), (1, 1)],), ([(2, 2, 9), (3, 9)],)])
of_shapes("bmm", ALGEBRA, lambda ts, a: torch.bmm(*ts),
          [([(2, 3, 4), (2, 4, 2)],), ([(1, 2, 2), (1, 2, 2)],), ([(3, 1, 5), (3, 5, 1)],), ([(2, 2, 0), (2, 0, 3)],), ([(0, 2, 2), (0, 2, 2)],),
           ([(2, 5, 3), (2, 3, 5)],)])
of_shapes("outer", ALGEBRA, lambda ts, a: torch.outer(*ts), [([(3,), (4,)],), ([(1,), (5,)],), ([(0,), (2,)],), ([(7,), (2,)],)])
of_shapes("dot", ALGEBRA, lambda ts, a: torch.dot(*ts), [([(3,), (3,)],), ([(1,), (1,)],), ([(0,), (0,)],), ([(17,), (17,)],), ([(9,), (9,)],)])
of_shapes("einsum", ALGEBRA, lambda ts, a: torch.einsum(a["equation"], *ts),
          [([(2, 3), (3, 4)], {"equation": "ij,jk->ik"}), ([(3, 3)], {"equation": "ii->i"}), ([(3, 3)], {"equation": "ii"}),
           ([(2, 3)], {"equation": "ij->ji"}), ([(2, 3)], {"equation": "ij->"}), ([(2, 3, 4), (2, 4, 2)], {"equation": "bij,bjk->bik"}),
           ([(2, 2, 3), (3, 4)], {"equation": "...ij,jk->...ik"}), ([(3,), (4,)], {"equation": "i,j->ij"}),
           ([(2, 3), (3, 4), (4, 2)], {"equation": "ij,jk,kl->il"}), ([(2, 3), (2, 3)], {"equation": "ij,ij->j"}),
           ([(2, 3), (3, 2)], {"equation": "ij,jk"}), ([(2, 3, 2)], {"equation": "iji->j"}), ([(3,), (3,)], {"equation": "i,i"}),
           ([(2, 3), (2, 4), (2,)], {"equation": "bi,bj,b->ij"})], count=24)

LAYERS = "convolution_pooling"
of_shapes("conv1d", LAYERS, lambda ts, a: F.conv1d(*ts, **a),
          [([(1, 1, 5), (1, 1, 3)],), ([(2, 2, 6), (3, 2, 3), (3,)],), ([(1, 2, 7), (2, 2, 2), (2,)], {"stride": 2}),
           ([(1, 4, 5), (4, 2, 3), (4,)], {"groups": 2, "padding": 1}), ([(1, 1, 8), (2, 1, 3)], {"dilation": 2, "padding": [2]}),
           ([(2, 3, 4), (2, 3, 1), (2,)],), ([(1, 2, 5), (2, 1, 2)], {"groups": 2, "stride": [3], "padding": 2})])
of_shapes("conv2d", LAYERS, lambda ts, a: F.conv2d(*ts, **a),
          [([(1, 1, 4, 4), (1, 1, 3, 3)],), ([(2, 2, 4, 3), (2, 2, 2, 2), (2,)],), ([(1, 2, 5, 4), (2, 2, 3, 2), (2,)], {"stride": 2, "padding": 1}),
           ([(1, 4, 3, 3), (4, 2, 2, 2), (4,)], {"groups": 2}), ([(1, 1, 5, 5), (2, 1, 2, 2)], {"dilation": 2}),
           ([(1, 2, 4, 5), (2, 1, 2, 3), (2,)], {"groups": 2, "stride": [1, 2], "padding": [0, 2]}), ([(2, 3, 2, 2), (2, 3, 1, 1), (2,)],),
           ([(1, 1, 5, 4), (1, 1, 3, 2)], {"dilation": [1, 2], "padding": [2, 1], "stride": [2, 1]})])
of_shapes("conv_transpose2d", LAYERS, lambda ts, a: F.conv_transpose2d(*ts, **a),
          [([(1, 1, 2, 2), (1, 1, 3, 3)],), ([(2, 2, 2, 3), (2, 2, 2, 2), (2,)],), ([(1, 2, 2, 3), (2, 2, 3, 2), (2,)], {"stride": 2, "padding": 1}),
           ([(1, 4, 2, 2), (4, 1, 2, 2), (2,)], {"groups": 2}), ([(1, 1, 2, 2), (1, 2, 2, 2)], {"stride": 2, "output_padding": 1}),
           ([(1, 2, 2, 2), (2, 1, 2, 3)], {"dilation": 2}), ([(1, 1, 3, 2), (1, 1, 2, 3), (1,)], {"stride": [2, 3], "padding": [0, 1], "output_padding": [1, 2]})])
of_shapes("max_pool2d", LAYERS, lambda ts, a: F.max_pool2d(ts[0], **a),
          [([(1, 1, 4, 4)], {"kernel_size": 2}), ([(2, 2, 4, 5)], {"kernel_size": [2, 3]}), ([(1, 1, 5, 5)], {"kernel_size": 3, "stride": 1}),
           ([(1, 2, 4, 4)], {"kernel_size": 3, "stride": 2, "padding": 1}), ([(1, 1, 5, 6)], {"kernel_size": 2, "dilation": 2, "stride": 1}),
           ([(1, 1, 5, 4)], {"kernel_size": [3, 2], "stride": [2, 1], "padding": [1, 0]})], exact=True, data=lambda s, shape: s.distinct(shape))
of_shapes("avg_pool2d", LAYERS, lambda ts, a: F.avg_pool2d(ts[0], **a),
          [([(1, 1, 4, 4)], {"kernel_size": 2}), ([(2, 2, 4, 5)], {"kernel_size": [2, 3]}), ([(1, 1, 5, 5)], {"kernel_size": 3, "stride": 1}),
           ([(1, 2, 4, 4)], {"kernel_size": 3, "stride": 2, "padding": 1}), ([(1, 1, 4, 4)], {"kernel_size": 3, "padding": 1, "count_include_pad": False}),
           ([(1, 1, 5, 4)], {"kernel_size": [3, 2], "stride": [2, 1], "padding": [1, 0]})])
of_shapes("adaptive_avg_pool2d", LAYERS, lambda ts, a: F.adaptive_avg_pool2d(ts[0], a["output_size"]),
          [([(1, 1, 4, 4)], {"output_size": 2}), ([(2, 2, 5, 4)], {"output_size": [2, 3]}), ([(1, 1, 3, 3)], {"output_size": 1}),
           ([(1, 2, 3, 5)], {"output_size": [3, 5]}), ([(1, 1, 3, 2)], {"output_size": [5, 4]})])
