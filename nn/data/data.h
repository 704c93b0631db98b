#pragma once

// Data sets: IDX files and batches.

#include "nn/data/batches.h"
#include "nn/data/idx.h"
