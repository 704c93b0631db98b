#pragma once

// Everything of the engine: tensors, ops, tapes, gradients, own ops and the gradient check.

#include "autograd/advise.h"
#include "autograd/apply.h"
#include "autograd/dtype.h"
#include "autograd/error.h"
#include "autograd/gradcheck.h"
#include "autograd/gradients.h"
#include "autograd/inspect.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/parameter.h"
#include "autograd/pointwise.h"
#include "autograd/random.h"
#include "autograd/shape.h"
#include "autograd/tape.h"
#include "autograd/tensor.h"
#include "autograd/threads.h"
