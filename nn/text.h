#pragma once

// Words for errors and tables. Internal, not installed.

#include <cstddef>
#include <string>
#include <vector>

#include "autograd/text.h"

namespace tapegrad::nn {

// "51,380,224".
std::string grouped(double number);
// Lines of cells as text whose columns line up, the first `left` of them to the left and the rest to the
// right. Cells that a line lacks are blank.
std::string columns(const std::vector<std::vector<std::string>>& lines, size_t left);

}  // namespace tapegrad::nn
