#pragma once

// Everything of the engine: tensors, ops, tapes, gradients, own ops, the gradient check, files.

#include "autograd/advise.h"
#include "autograd/apply.h"
#include "autograd/dtype.h"
#include "autograd/error.h"
#include "autograd/gradcheck.h"
#include "autograd/gradients.h"
#include "autograd/inspect.h"
#include "autograd/io/graph.h"
#include "autograd/io/safetensors.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/parameter.h"
#include "autograd/pointwise.h"
#include "autograd/program.h"
#include "autograd/random.h"
#include "autograd/report.h"
#include "autograd/shape.h"
#include "autograd/tape.h"
#include "autograd/tensor.h"
#include "autograd/threads.h"
