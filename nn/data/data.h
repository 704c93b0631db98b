#pragma once

// Data sets: files, points to try things out on, batches.

#include "nn/data/batches.h"
#include "nn/data/csv.h"
#include "nn/data/dataset.h"
#include "nn/data/idx.h"
#include "nn/data/loader.h"
#include "nn/data/normalize.h"
