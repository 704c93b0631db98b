#include "nn/checkpoint.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "nn/nn.h"
#include "tests/nn/data_files.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::test;
using tapegrad::testing::message_of;

namespace {

nn::Sequential network(Rng& rng) {
  nn::Embedding embedding(10, 6, rng);
  nn::Linear decoder(6, 10, rng);
  decoder.weight.tie(embedding.weight);
  return nn::Sequential(std::move(embedding), nn::Dropout(0.5, rng), std::move(decoder));
}

}  // namespace

TEST_CASE("nn/checkpoint: a network comes back with parameters, buffers and texts") {
  const TemporaryFolder folder;
  const std::string path = folder / "net.safetensors";
  Rng rng{1};
  const nn::Sequential net = network(rng), other = network(rng);
  const Tensor index = tensor({{1, 4, 9}});
  const Tensor drawn = net(index);  // moves the state of Dropout on
  std::vector<std::string> names;
  for (const nn::NamedCell& named : nn::state(net)) names.push_back(named.name);
  CHECK(names == std::vector<std::string>{"0.weight", "1.state", "2.bias"});

  nn::save(net, path, {{"epoch", "12"}});
  const uint64_t tied = parameters(other)[0].id();
  CHECK(nn::load(other, path) == Metadata{{"epoch", "12"}});
  CHECK(parameters(other)[0].id() == tied);  // into the same cells
  CHECK(fingerprint(parameters(net)) == fingerprint(parameters(other)));
  CHECK(equal(net(index), other(index)));  // and with the same draws
  CHECK_FALSE(equal(net(index), drawn));
}

TEST_CASE("nn/checkpoint: names are the ways to the parameters, whatever they are called") {
  const TemporaryFolder folder;
  const std::string path = folder / "net.safetensors";
  Rng rng{2};
  const nn::FeedForward net({3, 2}, {nn::relu}, rng);
  net.layers[0].weight.ref().set_name("called by hand");
  nn::save(net, path);
  CHECK(load_tensors(path).tensors[0].name == "layers.0.weight");
  // A file of another program, with other texts.
  const std::vector<NamedTensor> tensors = {{"layers.0.bias", ones({2})},
                                            {"layers.0.weight", full({2, 3}, 4)}};
  save_tensors(path, tensors, {{"format", "pt"}});
  CHECK(nn::load(net, path) == Metadata{{"format", "pt"}});
  CHECK(equal(net.layers[0].weight.value(), full({2, 3}, 4)));
  const Parameter alone(ones({2}));
  nn::save(alone, path);
  CHECK(load_tensors(path).tensors[0].name == "value");
}

TEST_CASE("nn/checkpoint: what does not fit is said, and nothing is loaded") {
  const TemporaryFolder folder;
  const std::string path = folder / "net.safetensors";
  Rng rng{3};
  const nn::FeedForward net({3, 4, 2}, {nn::relu, nn::identity}, rng);
  const uint64_t before = fingerprint(parameters(net));
  const auto fault = [&](const auto& saved) {
    nn::save(saved, path);
    std::string message = message_of([&] { nn::load(net, path); });
    CHECK(fingerprint(parameters(net)) == before);
    const size_t at = message.find(folder.path());
    return at == message.npos ? message : message.erase(at, folder.path().size() + 1);
  };
  CHECK(fault(nn::FeedForward({3, 4}, {nn::relu}, rng)) ==
        "[load] net.safetensors does not fit the module: it lacks 'layers.1.weight', 'layers.1.bias'");
  CHECK(
      fault(nn::FeedForward({3, 4, 2, 2}, {nn::relu, nn::relu, nn::relu}, rng)) ==
      "[load] net.safetensors does not fit the module: it has 'layers.2.bias', 'layers.2.weight', which the "
      "module lacks");
  CHECK(fault(nn::Linear(3, 4, rng)) ==
        "[load] net.safetensors does not fit the module: it lacks 'layers.0.weight', 'layers.0.bias', "
        "'layers.1.weight' and 1 more; it has 'bias', 'weight', which the module lacks");
  CHECK(fault(nn::FeedForward({3, 5, 2}, {nn::relu, nn::relu}, rng)) ==
        "[load] 'layers.0.weight' of net.safetensors is float32[5, 3], but float32[4, 3] in the module");
  CHECK(fault(nn::FeedForward({3, 4, 2}, {nn::relu, nn::relu}, rng, nn::gaussian, float64)) ==
        "[load] 'layers.0.weight' of net.safetensors is float64[4, 3], but float32[4, 3] in the module");
  CHECK_THROWS_AS(nn::load(net, folder / "missing"), IoError);

  std::vector<NamedTensor> tensors;
  for (const nn::NamedCell& named : nn::state(net)) tensors.push_back({named.name, named.cell.value()});
  save_tensors(path, tensors, {{"format", "tapegrad"}, {"version", "2"}});
  CHECK(message_of<FormatError>([&] { nn::load(net, path); }) ==
        path + ": expected version 1 of the format, given '2'");
  CHECK(message_of<ArgumentError>([&] {
          nn::save(net, path, {{"version", "7"}});
        }) == "[save] the name 'version' of a text belongs to the format");
}
