#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "optim/optim.h"

using namespace tapegrad;

TEST_CASE("optim/schedule: a number is constant") {
  const optim::Schedule eta = 0.25;
  for (int64_t t : {1, 2, 1000}) {
    CHECK(eta(t) == 0.25);
    CHECK(optim::constant(0.25)(t) == 0.25);
  }
  const optim::Schedule one = 1;
  CHECK(one(7) == 1.0);
}

TEST_CASE("optim/schedule: inverse time") {
  const optim::Schedule eta = optim::inverse_time(0.5);
  CHECK(eta(1) == 0.5);
  CHECK(eta(2) == 0.25);
  CHECK(eta(10) == 0.05);
  const optim::Schedule slow = optim::inverse_time(0.5, 0.25);
  CHECK(slow(1) == 0.5);
  CHECK(slow(5) == 0.25);
  CHECK(optim::inverse_time(0.5, 0)(99) == 0.5);
}

TEST_CASE("optim/schedule: a function of t, and copies of it") {
  const double high = 0.2;
  const optim::Schedule eta = [=](int64_t t) { return t <= 3 ? high : 0.1; };
  const optim::Schedule copy = eta;
  CHECK(copy(3) == 0.2);
  CHECK(copy(4) == 0.1);
}

TEST_CASE("optim/schedule: step sizes that make no sense") {
  CHECK_THROWS_AS(optim::constant(-0.1), ArgumentError);
  CHECK_THROWS_AS(optim::constant(std::numeric_limits<double>::quiet_NaN()), ArgumentError);
  CHECK_THROWS_AS(optim::inverse_time(std::numeric_limits<double>::infinity()), ArgumentError);
  CHECK_THROWS_AS(optim::inverse_time(0.1, -1), ArgumentError);
  CHECK_THROWS_AS(optim::constant(0.1)(0), ArgumentError);
  const optim::Schedule bad = [](int64_t) { return std::nan(""); };
  CHECK_THROWS_AS(bad(1), ArgumentError);
}
