#pragma once

// How good predictions are.

#include "nn/metrics/classes.h"
#include "nn/metrics/values.h"
