#include "examples/trainer/options.h"

#include "examples/trainer/checked.h"
#include "examples/trainer/console.h"
#include "examples/trainer/data.h"
#include "examples/trainer/optimizers.h"

namespace trainer {
namespace {

using namespace tapegrad;

constexpr int64_t kMostUnits = 65536;

std::optional<std::string> store_layers(const std::string& text, std::vector<int64_t>& layers) {
  std::vector<int64_t> sizes;
  for (size_t at = 0; text != "none" && at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    const std::optional<int64_t> size = number<int64_t>(std::string_view(text).substr(at, comma - at));
    if (!size || *size < 1 || *size > kMostUnits) {
      return fmt::format("sizes from 1 to {} with commas between them, or none", kMostUnits);
    }
    sizes.push_back(*size);
    at = comma + 1;
  }
  layers = sizes;
  return {};
}

std::vector<std::string> initializer_names() {
  std::vector<std::string> names;
  for (const nn::Initializer* init : nn::all_initializers()) names.emplace_back(init->name);
  return names;
}

void data_options(CLI::App& app, Options& o) {
  add_name(app, "--dataset", o.dataset, dataset_names(), "what to learn",
           [&](const std::string& name) { o.dataset = name; });
  add_path(
      app, "--data", "PATH", o.data,
      "instead: a folder with four IDX files, plain or .gz, or a CSV file whose last column is the class",
      "where Debian puts fashion_mnist");
  add_real(app, "--validation", o.validation, 0, false, 1,
           "part of the training samples that is only used to see how well the net does",
           "0, with --patience or plateau 0.1");
  add_whole<int64_t>(app, "--limit", o.limit, 1, INT64_MAX, "use only the first N samples of each half",
                     "all");
}

void net_options(CLI::App& app, Options& o) {
  add(app, "--layers", "N,N,...", fmt::format("{}", fmt::join(o.layers, ",")),
      "sizes of the hidden layers, or none",
      [&](const std::string& text) { return store_layers(text, o.layers); });
  add_name(app, "--activation", std::string(o.activation.name),
           {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus", "tanh", "sigmoid",
            "hardtanh", "relu6", "identity"},
           "of the hidden layers",
           [&](const std::string& name) { o.activation = *nn::find_activation(name); });
  add_name(app, "--init", std::string(o.init.name), initializer_names(), "start of the weights",
           [&](const std::string& name) { o.init = *nn::find_initializer(name); });
  add_name(app, "--dtype", "float32", {"float32", "float64"}, "of all numbers",
           [&](const std::string& name) { o.dtype = name == "float32" ? float32 : float64; });
  add_path(app, "--load", "FILE", o.load, "start from weights that --save wrote", "none");
}

void training_options(CLI::App& app, Options& o) {
  add_name(app, "--optimizer", o.optimizer, optimizer_names(), "how the weights follow the gradients",
           [&](const std::string& name) { o.optimizer = name; });
  add_real(app, "--lr", o.lr, 0, true, 1e6, "learning rate, the largest of the schedule",
           "the optimizer's own");
  add_real(app, "--momentum", o.momentum, 0, false, 1, "part of the last step that sgd and rmsprop keep",
           "sgd 0.9, rmsprop 0");
  add_real(app, "--weight-decay", o.weight_decay, 0, false, 1e6, "pulls the weights towards 0",
           "adamw 0.01, others 0");
  add_name(app, "--schedule", o.schedule, schedule_names(),
           "of the learning rate (plateau: a tenth of it whenever two epochs in a row bring no lower "
           "validation loss)",
           [&](const std::string& name) { o.schedule = name; });
  add_real(app, "--warmup", o.warmup, 0, false, 1e6, "epochs in which the learning rate rises from 0", "0");
  add_real(app, "--label-smoothing", o.label_smoothing, 0, false, 1,
           "part of a label given to all classes alike, in training", fmt::to_string(o.label_smoothing));
  add_real(app, "--clip", o.clip, 0, true, 1e30, "largest norm of all gradients together", "none");
  add_whole<int64_t>(app, "--batch", o.batch, 1, 1'000'000, "samples per step");
  add_whole<int64_t>(app, "--epochs", o.epochs, 1, 1'000'000, "passes over the training set");
  add_whole<int64_t>(app, "--patience", o.patience, 1, 1'000'000,
                     "stop after N epochs without a lower validation loss, and keep the best weights",
                     "never");
  add_whole<uint64_t>(app, "--seed", o.seed, 0, UINT64_MAX,
                      "of the first weights and the order of the samples");
}

void running_options(CLI::App& app, Options& o) {
  add_whole<int64_t>(app, "--threads", o.threads, 1, 1024, "threads; the result is the same for every number",
                     fmt::to_string(num_threads()));
  app.add_flag("--program,!--no-program", o.program,
               "record the step once and replay it (default), with the same bits; or record every step");
  app.add_flag("--fuse-updates", o.fuse_updates,
               "let the update of large weights ride on a product, rounded otherwise; for sgd with "
               "--momentum 0 and no --clip, the others have nothing to fuse");
  app.add_flag("--verify,!--no-verify", o.verify,
               "check the gradients of this net against differences before training (default)");
}

void output_options(CLI::App& app, Options& o) {
  add_path(app, "--out", "DIR", o.out, "folder for the history and the pictures, made if missing");
  add_path(app, "--save", "FILE", o.save, "write the weights there after the training", "nowhere");
  app.add_flag("--pictures,!--no-pictures", o.pictures, "draw the pictures in --out (default)");
  app.add_flag("--profile", o.profile, "measure one step op by op: a table, and a trace in --out");
  app.add_flag("--quiet", o.quiet, "print nothing but the last line and errors");
  app.add_flag("--json", o.json, "print nothing but one JSON object at the end, and errors");
}

// Text of an error of CLI11, with the nearest name for an option that does not exist.
std::string explain(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  if (dynamic_cast<const CLI::ConfigError*>(&error) != nullptr) {
    const std::string text = error.what();
    const size_t behind = text.rfind("parse ");
    const std::string given = behind == std::string::npos ? text : text.substr(behind + 6);
    const std::string name = given.substr(0, given.find_first_of(" ="));
    const bool word = name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-_") == std::string::npos;
    return fmt::format(
        "--config: cannot read '{}'; expected lines such as epochs = 3, no sections{}", given,
        word ? fmt::format(" (did you mean {}?)", suggestion(app, "--" + name).substr(2)) : "");
  }
  if (dynamic_cast<const CLI::FileError*>(&error) != nullptr)
    return fmt::format("--config: {}", error.what());
  if (dynamic_cast<const CLI::ExtrasError*>(&error) == nullptr) return error.what();
  for (int i = 1; i < argc; ++i) {
    std::string name(std::string_view(argv[i]).substr(0, std::string_view(argv[i]).find('=')));
    if (name.size() < 3 || name[0] != '-' || app.get_option_no_throw(name) != nullptr) continue;
    const bool single = name[1] != '-';
    if (single && number<double>(name)) continue;  // a value
    return fmt::format("unknown option {}, did you mean {}?", name,
                       suggestion(app, single ? "-" + name : name));
  }
  return fmt::format("{}; lists have commas and no blanks", error.what());
}

}  // namespace

std::optional<Options> parse_options(int argc, char** argv, int& status) {
  Options o;
  CLI::App app(
      "Trains a fully connected net to tell classes apart and reports its accuracy on samples it has not "
      "seen.",
      "train");
  app.formatter(std::make_shared<HelpFormatter>());
  data_options(app, o);
  net_options(app, o);
  training_options(app, o);
  running_options(app, o);
  output_options(app, o);
  app.set_config("--config", "", "TOML file of options by the same names, which the command line overrides")
      ->type_name("FILE");
  app.allow_config_extras(CLI::config_extras_mode::error);
  try {
    app.parse(argc, argv);
    return o;
  } catch (const CLI::CallForHelp&) {
    say("{}", app.help());
    status = 0;
  } catch (const CLI::ParseError& error) {
    print_error("{} (--help lists the options)", explain(app, error, argc, argv));
    status = 2;
  }
  return {};
}

}  // namespace trainer
