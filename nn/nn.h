#pragma once

// Everything of the neural layers, and the engine beneath them.

#include "autograd/autograd.h"
#include "nn/activation.h"
#include "nn/branches.h"
#include "nn/checkpoint.h"
#include "nn/data/data.h"
#include "nn/feedforward.h"
#include "nn/init.h"
#include "nn/initial.h"
#include "nn/layer.h"
#include "nn/layer_call.h"
#include "nn/layers.h"
#include "nn/linear.h"
#include "nn/metrics/metrics.h"
#include "nn/module.h"
#include "nn/neuron.h"
#include "nn/sequential.h"
#include "nn/summary.h"
