#include "examples/trainer/pictures.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace trainer {

using namespace tapegrad;

namespace {

// The text in single quotes for gnuplot, without the characters that its enhanced text takes for commands.
std::string quoted(std::string_view text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'') result += "''";
    else if (std::string_view("{}^_@&~\\\n\r\"").find(c) != std::string_view::npos) result += ' ';
    else result += c;
  }
  return result + "'";
}

std::string tick_labels(const std::vector<std::string>& classes) {
  std::string list;
  for (size_t i = 0; i < classes.size(); ++i)
    list += fmt::format("{}{} {}", i == 0 ? "" : ", ", quoted(classes[i]), i);
  return list;
}

}  // namespace

void draw_learning_curves(Drawer& drawer, const Options& options, int64_t epochs,
                          const std::string& held_out) {
  constexpr int64_t kTics = 10;  // at most, on whole epochs
  drawer.plot("learning_curves", 1000, 420,
              fmt::format(R"(set datafile separator ','
set grid
set xlabel 'epoch'
set xrange [0.5:{0}.5]
set xtics {1}
set multiplot layout 1,2
set ylabel 'loss'
set tmargin 3
set key above
plot 'history.csv' using 1:2 skip 1 with linespoints pt 7 ps 0.6 title 'training samples{3}', \
     '' using 1:3 skip 1 with linespoints pt 7 ps 0.6 title '{2} samples'
set ylabel 'accuracy of the {2} samples, %'
set key off
plot 'history.csv' using 1:($4*100) skip 1 with linespoints pt 7 ps 0.6 lt 2
unset multiplot
)",
                          epochs, std::max<int64_t>(1, (epochs + kTics - 1) / kTics), held_out,
                          options.label_smoothing > 0 ? ", smoothed labels" : ""));
}

void draw_confusion(Drawer& drawer, const OutputFolder& out, const nn::ConfusionMatrix& confusion,
                    const std::vector<std::string>& classes) {
  const auto count = static_cast<int64_t>(classes.size());
  std::string rows = "truth,prediction,samples,part of the row\n";
  for (int64_t i = 0; i < count; ++i) {
    const auto total = static_cast<double>(std::max<int64_t>(confusion.support(i), 1));
    for (int64_t j = 0; j < count; ++j) {
      const int64_t samples = confusion.count(i, j);
      rows += fmt::format("{},{},{},{:.6f}\n", i, j, samples, static_cast<double>(samples) / total);
    }
    rows += '\n';
  }
  out.write("confusion.csv", rows);
  const int size = 260 + 52 * static_cast<int>(std::min<int64_t>(count, 40));
  drawer.plot("confusion", size + 60, size,
              fmt::format(R"(set datafile separator ','
classes = {0}
set xrange [-0.5:classes-0.5]
set yrange [classes-0.5:-0.5]
set xtics rotate by 40 right ({1})
set ytics ({1})
set xlabel 'prediction'
set ylabel 'truth'
set cblabel 'part of the samples of a class'
set cbrange [0:1]
set palette defined (0 'white', 0.15 '#c6dbef', 0.5 '#6baed6', 1 '#08306b')
set key off
plot 'confusion.csv' using 2:1:4 skip 1 with image, \
     '' using 2:1:($3 > 0 ? sprintf('%d', $3) : ''):($4 > 0.5 ? 0xffffff : 0x202020) skip 1 \
        with labels font ',9' tc rgb variable
)",
                          count, tick_labels(classes)));
}

void draw_mistakes(Drawer& drawer, const OutputFolder& out, const Data& data,
                   const Predictions& predictions) {
  constexpr int kColumns = 8, kRows = 4, kGap = 8;
  std::vector<size_t> wrong;
  for (size_t i = 0; i < predictions.truth.size(); ++i)
    if (predictions.truth[i] != predictions.chosen[i]) wrong.push_back(i);
  const size_t shown = std::min<size_t>(wrong.size(), kColumns * kRows);
  if (shown == 0) return;
  std::partial_sort(wrong.begin(), wrong.begin() + static_cast<ptrdiff_t>(shown), wrong.end(),
                    [&](size_t a, size_t b) { return predictions.loss[a] > predictions.loss[b]; });
  wrong.resize(shown);

  const auto rows = static_cast<size_t>(data.height), columns = static_cast<size_t>(data.width);
  const size_t step_x = columns + kGap, step_y = rows + kGap;
  const size_t across = std::min<size_t>(shown, kColumns), down = (shown + kColumns - 1) / kColumns;
  std::vector<double> canvas(across * step_x * down * step_y, 0);
  const Tensor pixels = cast(data.test.inputs, float64);
  const auto all = pixels.data<double>();
  std::string labels;
  for (size_t k = 0; k < shown; ++k) {
    const size_t left = k % kColumns * step_x + kGap / 2, top = k / kColumns * step_y, sample = wrong[k];
    for (size_t y = 0; y < rows; ++y)
      for (size_t x = 0; x < columns; ++x)
        canvas[(top + y) * across * step_x + left + x] = all[sample * rows * columns + y * columns + x];
    const auto name = [&](int64_t label) { return data.classes[static_cast<size_t>(label)]; };
    const std::string text =
        fmt::format("{}, said {} {:.0f} %", name(predictions.truth[sample]), name(predictions.chosen[sample]),
                    100 * predictions.confidence[sample]);
    labels += fmt::format("set label {} at {},{} center front tc rgb 'white' font ',7'\n", quoted(text),
                          static_cast<double>(left) + static_cast<double>(columns) / 2,
                          static_cast<double>(top + rows) + kGap * 0.4);
  }
  std::string matrix;
  for (size_t y = 0; y < down * step_y; ++y) {
    const auto row = canvas.begin() + static_cast<ptrdiff_t>(y * across * step_x);
    fmt::format_to(std::back_inserter(matrix), "{:.3g}\n",
                   fmt::join(row, row + static_cast<ptrdiff_t>(across * step_x), " "));
  }
  out.write("mistakes.txt", matrix);
  drawer.plot("mistakes", static_cast<int>(across) * 150, static_cast<int>(down) * 150,
              fmt::format("set margins 0,0,0,0\nset xrange [-0.5:{}]\nset yrange [{}:-0.5]\n"
                          "set palette gray\nset cbrange [0:1]\nunset colorbox\nunset tics\nunset border\n"
                          "set key off\n{}plot 'mistakes.txt' matrix with image\n",
                          static_cast<double>(across * step_x) - 0.5,
                          static_cast<double>(down * step_y) - 0.5, labels));
}

void draw_boundary(Drawer& drawer, const OutputFolder& out, const nn::FeedForward& net, const Data& data) {
  constexpr int64_t kSide = 160;
  const Tensor samples = cast(data.test.inputs, float64);
  const auto points = samples.data<double>();
  const auto labels = data.test.targets.data<int64_t>();
  double low = points[0], high = points[0];
  std::string dots = "x,y,class\n";
  for (size_t i = 0; i < labels.size(); ++i) {
    for (const double x : {points[2 * i], points[2 * i + 1]})
      low = std::min(low, x), high = std::max(high, x);
    dots += fmt::format("{:.5g},{:.5g},{}\n", points[2 * i], points[2 * i + 1], labels[i]);
  }
  const double margin = 0.1 * std::max(high - low, 1e-6);
  low -= margin, high += margin;

  std::vector<double> places;
  for (int64_t i = 0; i < kSide * kSide; ++i) {
    for (const int64_t k : {i % kSide, i / kSide})
      places.push_back(low + (high - low) * static_cast<double>(k) / (kSide - 1));
  }
  const Tensor grid = from_vector(places, {kSide * kSide, 2});
  const Tensor chances = softmax(cast(net(cast(grid, data.test.inputs.dtype())), float64), 1);
  const Tensor best = argmax(chances, 1), sure = amax(chances, Dims{1});
  std::string field = "x,y,class,probability\n";
  for (int64_t i = 0; i < kSide * kSide; ++i) {
    const auto k = static_cast<size_t>(i);
    if (i > 0 && i % kSide == 0) field += '\n';
    field += fmt::format("{:.5g},{:.5g},{},{:.4f}\n", places[2 * k], places[2 * k + 1],
                         best.data<int64_t>()[k], sure.data<double>()[k]);
  }
  out.write("boundary.csv", field);
  out.write("points.csv", dots);
  // The palette has one colour per class, lighter where the net is less sure: c + p/2, p from 1/classes to 1.
  std::string palette, key;
  constexpr const char* kColours[] = {"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
                                      "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"};
  for (size_t c = 0; c < data.classes.size(); ++c) {
    palette += fmt::format("{}{} 'white', {} '{}'", c == 0 ? "" : ", ", static_cast<double>(c),
                           static_cast<double>(c) + 0.999, kColours[c % std::size(kColours)]);
    if (c < std::size(kColours)) {
      key += fmt::format(", \\\n     keyentry with points pt 7 lc rgb '{}' title {}", kColours[c],
                         quoted(data.classes[c]));
    }
  }
  drawer.plot("boundary", 760, 720,
              fmt::format(R"(set datafile separator ','
set palette defined ({0}) maxcolors 0
set cbrange [0:{1}]
unset colorbox
set xrange [{2:.4g}:{3:.4g}]
set yrange [{2:.4g}:{3:.4g}]
set size ratio -1
set xlabel 'x1'
set ylabel 'x2'
set key outside center top horizontal reverse Left samplen 1
plot 'boundary.csv' using 1:2:($3 + 0.75*$4**2) skip 1 with image notitle, \
     'points.csv' using 1:2:($3 + 0.999) skip 1 with points pt 7 ps 0.7 lc palette notitle, \
     '' using 1:2 skip 1 with points pt 6 ps 0.7 lc rgb '#303030' notitle{4}
)",
                          palette, data.classes.size(), low, high, key));
}

void draw_graph(Drawer& drawer, const Tape& tape) { drawer.graph("loss", to_dot(tape)); }

}  // namespace trainer
