#pragma once

// Everything of the optimisers, and the engine beneath them.

#include "autograd/autograd.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "optim/sgd.h"
