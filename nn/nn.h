#pragma once

// Everything of the neural layers, and the engine beneath them.

#include "autograd/autograd.h"
#include "nn/activation.h"
#include "nn/data/data.h"
#include "nn/feedforward.h"
#include "nn/init.h"
#include "nn/initial.h"
#include "nn/layer.h"
#include "nn/linear.h"
#include "nn/module.h"
#include "nn/neuron.h"
#include "nn/sequential.h"
