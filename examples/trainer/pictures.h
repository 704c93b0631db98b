#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "examples/trainer/data.h"
#include "examples/trainer/draw.h"
#include "examples/trainer/evaluate.h"
#include "nn/nn.h"

namespace trainer {

// Each writes its data and a script for gnuplot into the output folder and draws the picture.

// learning_curves.png from history.csv: loss and accuracy after each of so many epochs, of training and
// `held_out` samples ("test", "validation").
void draw_learning_curves(Drawer& drawer, const Options& options, int64_t epochs,
                          const std::string& held_out);
// confusion.png: how often samples of a class (rows) were taken for another (columns).
void draw_confusion(Drawer& drawer, const OutputFolder& out, const tapegrad::nn::ConfusionMatrix& confusion,
                    const std::vector<std::string>& classes);
// mistakes.png: the pictures that the net got most wrong, with what it said and how sure it was.
void draw_mistakes(Drawer& drawer, const OutputFolder& out, const Data& data, const Predictions& predictions);
// boundary.png: which class the net gives each point of the plane, and the samples. For nets of two inputs.
void draw_boundary(Drawer& drawer, const OutputFolder& out, const tapegrad::nn::FeedForward& net,
                   const Data& data);
// loss.svg: the ops of one loss, as a graph.
void draw_graph(Drawer& drawer, const tapegrad::Tape& tape);

}  // namespace trainer
