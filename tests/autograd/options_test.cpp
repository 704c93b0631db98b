// Options of ops: visited, compared, owned, kept by the tape.

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "autograd/autograd.h"
#include "tests/support/reference.h"
#include "tests/support/test_op.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

struct Everything {
  bool flag = false;
  int64_t count = 3;
  double rate = 0.1;
  Dims dims = {1, -2};
  DType dtype = float32;
  Reduction reduction = Reduction::mean;
  Shape size = {2, 3};
  std::optional<int64_t> start;
  std::optional<double> low;
  std::optional<Dims> over;
  CellRef cell;
  Text text = "ij->ji";
  Pads pads = {1, 0, -2, 0};
  std::vector<double> numbers = {0.5, 1e300, -0.1};

  static void fields(auto& self, auto&& f) {
    f("flag", self.flag);
    f("count", self.count);
    f("rate", self.rate);
    f("dims", self.dims);
    f("dtype", self.dtype);
    f("reduction", self.reduction);
    f("size", self.size);
    f("start", self.start);
    f("low", self.low);
    f("over", self.over);
    f("cell", self.cell);
    f("text", self.text);
    f("pads", self.pads);
    f("numbers", self.numbers);
  }
};

struct Plain {
  int64_t count = 3;
  static void fields(auto& self, auto&& f) { f("count", self.count); }
};

// An op whose options own something.
struct WithCell : DoublingOp {
  struct Options {
    CellRef cell;
    double factor = 2;
    static void fields(auto& self, auto&& f) {
      f("cell", self.cell);
      f("factor", self.factor);
    }
  };
  static constexpr std::string_view name = "with_cell";
  static void vjp(Vjp& v) {
    v.add(0, mul(mul(v.g(), v.options<Options>().factor), v.options<Options>().cell));
  }
};

}  // namespace

TEST_CASE("autograd/options: every kind of field is visited") {
  Everything options;
  Fields fields = fields_of(options);
  CHECK(fields["flag"] == std::vector<double>{0});
  CHECK(fields["count"] == std::vector<double>{3});
  CHECK(fields["rate"] == std::vector<double>{0.1});
  CHECK(fields["dims"] == std::vector<double>{1, -2});
  CHECK(fields["reduction"] == std::vector<double>{1});
  CHECK(fields["size"] == std::vector<double>{2, 3});
  CHECK(fields["text"] == std::vector<double>{'i', 'j', '-', '>', 'j', 'i'});
  CHECK(fields["pads"] == std::vector<double>{1, 0, -2, 0});
  CHECK(fields["numbers"] == std::vector<double>{0.5, 1e300, -0.1});
  CHECK_FALSE(fields.contains("start"));
  options.start = 5;
  options.over = Dims{0};
  fields = fields_of(options);
  CHECK(fields["start"] == std::vector<double>{5});
  CHECK(fields["over"] == std::vector<double>{0});
}

TEST_CASE("autograd/options: equal when every field is") {
  const Everything a;
  CHECK(equal(OptionsRef(a), OptionsRef(Everything())));
  CHECK(equal(OptionsRef(), OptionsRef()));
  CHECK_FALSE(equal(OptionsRef(a), OptionsRef()));
  CHECK_FALSE(equal(OptionsRef(Plain()), OptionsRef(a)));
  auto differs = [&](auto change) {
    Everything b;
    change(b);
    CHECK_FALSE(equal(OptionsRef(a), OptionsRef(b)));
  };
  differs([](Everything& b) { b.flag = true; });
  differs([](Everything& b) { b.count = 4; });
  differs([](Everything& b) { b.rate = 0.1 + 0x1p-56; });
  differs([](Everything& b) { b.dims = {1}; });
  differs([](Everything& b) { b.dtype = float64; });
  differs([](Everything& b) { b.reduction = Reduction::sum; });
  differs([](Everything& b) { b.size = {3, 2}; });
  differs([](Everything& b) { b.start = 0; });
  differs([](Everything& b) { b.low = 0.0; });
  differs([](Everything& b) { b.over = Dims{}; });
  differs([](Everything& b) { b.text = "ij->ij"; });
  differs([](Everything& b) { b.pads = {1, 0, -2}; });
  differs([](Everything& b) { b.numbers = {0.5, 1e300, -0.1 - 0x1p-56}; });
  differs([](Everything& b) { b.numbers.clear(); });
  const Parameter p(zeros({})), q(zeros({}));
  Everything c, d;
  c.cell = p.ref();
  d.cell = q.ref();
  CHECK_FALSE(equal(OptionsRef(c), OptionsRef(d)));
  d.cell = p.ref();
  CHECK(equal(OptionsRef(c), OptionsRef(d)));
}

TEST_CASE("autograd/options: a box owns a copy") {
  OptionsBox box;
  CHECK(box.ref().data == nullptr);
  {
    const Parameter p(full({}, 4), "kept");
    Everything options;
    options.cell = p.ref();
    options.count = 9;
    options.numbers.assign(1000, 0.25);
    box = OptionsBox(options);
  }
  const auto& held = *static_cast<const Everything*>(box.ref().data);
  CHECK(held.count == 9);
  CHECK(held.numbers == std::vector<double>(1000, 0.25));
  CHECK(held.cell.value().item() == 4);
  const OptionsBox copy = box;
  CHECK(copy.ref().data != box.ref().data);
  CHECK(equal(copy.ref(), box.ref()));
  OptionsBox moved = std::move(box);
  CHECK(equal(moved.ref(), copy.ref()));
  CHECK(box.ref().data == nullptr);
  moved = OptionsBox();
  CHECK(moved.ref().type == nullptr);
  CHECK(static_cast<const Everything*>(copy.ref().data)->cell.name() == "kept");
}

TEST_CASE("autograd/options: the tape keeps options that own something until it ends") {
  Tape tape;
  const Tensor x = tape.watch(tensor({1.0, 2.0}, float64));
  Tensor y;
  {
    const Buffer scale(full({}, 10, float64), "scale");
    y = apply(op<WithCell>, {x}, WithCell::Options{scale.ref(), 3});
  }
  CHECK(equal(tape.gradient(y, ones({2}, float64))[x], full({2}, 30, float64)));
  CHECK(to_string(tape).find("with_cell(cell=\"scale\"") != std::string::npos);
  CHECK(to_string(tape).find("factor=3)") != std::string::npos);
  // The same chain of records and memory serves the next tape.
  for (int i = 0; i < 3; ++i) {
    Tape next;
    const Tensor z = next.watch(zeros({1}));
    for (int k = 0; k < 100; ++k) apply(op<WithCell>, {z}, WithCell::Options{CellRef(), 1});
    CHECK(next.size() == 100);
  }
}
