#include "nn/summary.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "nn/nn.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using tapegrad::testing::message_of;

namespace {

// Its first member has its address.
struct Twice {
  nn::Linear inner;
  Tensor operator()(const Tensor& x) const { return inner(inner(x)) * 0.5; }
  static void fields(auto& self, auto&& f) { f("inner", self.inner); }
};

}  // namespace

TEST_CASE("nn/summary: a feed-forward network as a table") {
  Rng rng{1};
  nn::FeedForward net{{784, 256, 10}, {nn::relu, nn::identity}, rng};
  net.layers[1].bias.requires_grad_(false);
  CHECK(to_string(nn::summary(net, {128, 784})) ==
        "layer                      output            parameters       FLOPs\n"
        "FeedForward 784→10         [128, 10]                  0           0\n"
        "  layers.0: Layer 784→256  [128, 256]           200,960  51,412,992\n"
        "  layers.1: Layer 256→10   [128, 10]   frozen 10, 2,570     655,360\n"
        "total                                           203,530  52,068,352\n"
        "input [128, 784]; 814.1 kB of parameters, 10 of them frozen\n");
  // 2·128·784·256 for the product, and one comparison for each relu.
  CHECK(nn::summary(net, {128, 784}).rows[1].flops == 2.0 * 128 * 784 * 256 + 128 * 256);
}

TEST_CASE("nn/summary: containers, layers without fields, settings") {
  Rng rng{2};
  const nn::Sequential net(nn::Flatten(), nn::Linear(16, 8, rng), nn::relu, nn::Dropout(0.5, rng),
                           nn::Residual(nn::Sequential(nn::Linear(8, 8, rng), nn::tanh)),
                           nn::Parallel(nn::Join::concat, nn::Linear(8, 2, rng), nn::activation("sin")),
                           [](const Tensor& x) { return x * 2.0; });
  CHECK(to_string(nn::summary(net, {5, 4, 4})) ==
        "layer                                output   parameters  FLOPs\n"
        "Sequential                           [5, 10]           0      0\n"
        "  0: Flatten start_dim=1 end_dim=-1  [5, 16]           0      0\n"
        "  1: Linear 16→8                     [5, 8]          136  1,280\n"
        "  2: relu                            [5, 8]            0     40\n"
        "  3: Dropout p=0.5                   [5, 8]            0     40\n"
        "  4: Residual                        [5, 8]            0     40\n"
        "    4.f: Sequential                  [5, 8]            0      0\n"
        "      4.f.0: Linear 8→8              [5, 8]           72    640\n"
        "      4.f.1: tanh                    [5, 8]            0     40\n"
        "  5: Parallel                        [5, 10]           0      0\n"
        "    5.0: Linear 8→2                  [5, 2]           18    160\n"
        "    5.1: sin                         [5, 8]            0     40\n"
        "  6: lambda                          [5, 10]           0     50\n"
        "total                                                226  2,330\n"
        "input [5, 4, 4]; 904 bytes of parameters, 0 of them frozen\n");
}

TEST_CASE("nn/summary: a module of one's own, and layers that are called more than once") {
  Rng rng{3};
  const Twice twice{nn::Linear(4, 4, rng)};
  const nn::Summary table = nn::summary(twice, {2, 4});
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0].label == "Twice");
  CHECK(table.rows[0].calls == 1);
  CHECK(table.rows[0].flops == 8);
  CHECK(table.rows[1].name == "inner");
  CHECK(table.rows[1].label == "Linear 4→4");
  CHECK(table.rows[1].calls == 2);
  CHECK(table.rows[1].parameters == 20);
  CHECK(table.rows[1].flops == 2 * (2.0 * 2 * 4 * 4));
  CHECK(to_string(table).find("[2, 4] × 2") != std::string::npos);
}

TEST_CASE("nn/summary: rows add up to the count of parameters, with tied and frozen ones") {
  Rng rng{4};
  nn::Embedding embedding(10, 6, rng);
  nn::Linear decoder(6, 10, rng);
  decoder.weight.tie(embedding.weight);
  nn::Sequential net(std::move(embedding), std::move(decoder));
  nn::freeze(net);
  const nn::Summary table = nn::summary(net, {3, 4}, int64);
  CHECK(table.parameters == count_parameters(net));
  CHECK(table.parameters == 10 * 6 + 10);
  CHECK(table.frozen == table.parameters);
  CHECK(table.rows[2].tied);
  CHECK(table.rows[2].parameters == 10);
  CHECK(table.rows[2].output == Shape{3, 4, 10});
  // Frozen ones are counted, and stay frozen.
  CHECK(table.rows[2].flops == 2.0 * 12 * 6 * 10);
  for (const CellRef& cell : parameters(net)) CHECK_FALSE(cell.requires_grad());
}

TEST_CASE("nn/summary: leaves buffers and an outer tape as they were, and errors name the layer") {
  Rng rng{5};
  const nn::Sequential net(nn::Linear(4, 3, rng), nn::Dropout(0.5, rng));
  const ParameterList state = buffers(net);
  const Tensor before = state[0].value();
  Tape tape;
  nn::summary(net, {2, 4});
  CHECK(tape.size() == 0);
  CHECK(equal(state[0].value(), before));
  const int line = __LINE__ + 1;
  const std::string message = message_of<ShapeError>([&] { nn::summary(net, {2, 5}); });
  CHECK(message ==
        "[linear] inner dimensions differ: 5 and 4 — x: float32[2, 5], weight: float32[3, 4], bias: "
        "float32[3] (summary_test.cpp:" +
            std::to_string(line) + ")\n  in 0: Linear 4→3\n  in the summary for float32[2, 5]");
  CHECK(equal(state[0].value(), before));
  // Afterwards nothing watches any more.
  CHECK(net(ones({2, 4})).shape() == Shape{2, 3});
}
