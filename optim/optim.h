#pragma once

// Everything of the optimisers, and the engine beneath them.

#include "autograd/autograd.h"
#include "optim/adadelta.h"
#include "optim/adagrad.h"
#include "optim/adam.h"
#include "optim/averaged_model.h"
#include "optim/catalog.h"
#include "optim/clip.h"
#include "optim/lbfgs.h"
#include "optim/lion.h"
#include "optim/nadam.h"
#include "optim/optimizer.h"
#include "optim/radam.h"
#include "optim/rmsprop.h"
#include "optim/schedule.h"
#include "optim/schedules.h"
#include "optim/sgd.h"
