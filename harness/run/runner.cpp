#include "harness/run/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <variant>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/text.h"
#include "engine/api/mode_list.h"
#include "harness/run/sample_run.h"
#include "runs/prompt_store.h"

namespace elastic::harness {
namespace {

// Of the request before a mode's first sample: prompt tokens at most, and new tokens. A GPU loads
// each kernel at its first use, which ones depends on the length, and its clocks rise with work.
struct WarmUp {
  std::ptrdiff_t prompt;
  std::int64_t answer;
};
constexpr WarmUp kCpuWarmUp{256, 2}, kGpuWarmUp{8192, 32};

// Work of a sample for the estimate of time left, in tokens.
double sample_tokens(const PreparedCell& cell, const tasks::Sample& sample) {
  constexpr double kBytesPerToken = 4;
  return cell.length > 0 ? static_cast<double>(cell.length)
                         : static_cast<double>(sample.input.size()) / kBytesPerToken;
}

struct Pending {
  std::size_t sample = 0;  // position in the cell
  std::string key;
};

class Run {
 public:
  Run(const RunJob& job, runs::RunStore& store)
      : job_(job),
        store_(store),
        settings_(key_settings(job)),
        most_in_flight_(most_in_flight(job.options, job.generator.device())) {}

  RunOutcome run() {
    collect();
    Progress progress("run", outcome_.planned - outcome_.found, tokens_);
    progress_ = &progress;
    try {
      run_all();
    } catch (const Interrupted& stop) {
      outcome_.signal = stop.signal;
    }
    return outcome_;
  }

 private:
  // Samples that take one request are in flight together; one of several passes runs alone.
  void run_all() {
    while (settle()) {
      stream();
      if (!settle()) return;
      SampleRun run = next_run();
      if (begin_sample(run, job_.generator)) run_passes(job_.generator, job_.options, run);
      keep(run);
    }
  }

  void stream() {
    asked_ = 0;
    const engine::RequestStream stream{
        [this] { return next_request(); },
        [this](std::int64_t number, std::variant<engine::Result, std::exception_ptr> outcome) {
          SampleRun run = std::move(in_flight_.extract(number).mapped());
          finish_sample(run, std::move(outcome));
          keep(run);
        }};
    job_.generator.generate(stream, most_in_flight_);
  }

  // The request of the next sample; nothing at the end, before a sample of several passes, and
  // after a signal: what is in flight is finished.
  std::optional<engine::Request> next_request() {
    try {
      while (settle()) {
        stop_if_interrupted();
        SampleRun run = next_run();
        if (!begin_sample(run, job_.generator)) {
          keep(run);
          continue;
        }
        if (!takes_one_request(run, job_.options)) {
          --place_.pending;
          return std::nullopt;
        }
        engine::Request request = request_of(run, job_.options);
        in_flight_.emplace(asked_++, std::move(run));
        return request;
      }
    } catch (const Interrupted& stop) {
      outcome_.signal = stop.signal;
    }
    return std::nullopt;
  }

  // Moves on to a sample that is still to run; false at the end.
  bool settle() {
    if (outcome_.signal) return false;
    for (; place_.cell < job_.cells.size(); ++place_.cell, place_.mode = 0) {
      for (; place_.mode < job_.modes.size(); ++place_.mode, place_.pending = 0) {
        if (place_.pending < pending_[place_.cell][place_.mode].size()) return true;
      }
    }
    return false;
  }

  // The sample at the place that settle() found, in its mode.
  SampleRun next_run() {
    const PreparedCell& cell = job_.cells[place_.cell];
    const Pending& pending = pending_[place_.cell][place_.mode][place_.pending];
    enter(cell, pending.sample);
    SampleRun run{.cell = &cell,
                  .sample = &cell.samples[pending.sample],
                  .prompt = prompt_of(cell, pending.sample),
                  .record = {}};
    run.record.key = pending.key;
    run.record.mode = job_.modes[place_.mode].name;
    ++place_.pending;
    return run;
  }

  void enter(const PreparedCell& cell, std::size_t sample) {
    if (entered_cell_ != place_.cell) prompts_.assign(cell.samples.size(), nullptr);
    if (entered_cell_ == place_.cell && entered_mode_ == place_.mode) return;
    entered_cell_ = place_.cell;
    entered_mode_ = place_.mode;
    job_.generator.set_mode(job_.modes[place_.mode].name);
    if (most_in_flight_ == 1) warm_up(cell, place_.mode, sample);
  }

  void keep(const SampleRun& run) {
    store_.append(run.record);
    count(run);
    std::string label = fmt::format("{} {}", run.record.mode, run.record.task);
    if (run.cell->length > 0) label += fmt::format(" {}", format_length(run.cell->length));
    progress_->advance(sample_tokens(*run.cell, *run.sample), label);
  }

  std::string key_of(const PreparedCell& cell, std::size_t position, const RunMode& mode) const {
    return runs::sample_key({.settings = settings_,
                             .profile = cell.task->profile,
                             .mode = fmt::format("{}={}", mode.name, mode.full),
                             .task = cell.task->task->info().name,
                             .length = cell.length,
                             .index = cell.samples[position].index,
                             .content_sha256 = cell.content_sha256[position]});
  }

  using FoundKeys = std::map<std::pair<runs::CellKey, std::int64_t>, std::string>;  // cell, index

  // Which samples are still to run, and whether those found were made from the same data.
  void collect() {
    FoundKeys found;
    for (const runs::SampleRecord& r : store_.found().samples) {
      found[{{r.mode, r.task, r.length}, r.index}] = r.key;
    }
    pending_.assign(job_.cells.size(), std::vector<std::vector<Pending>>(job_.modes.size()));
    for (std::size_t c = 0; c < job_.cells.size(); ++c) {
      for (std::size_t m = 0; m < job_.modes.size(); ++m) collect_cell(c, m, found);
    }
  }

  void collect_cell(std::size_t c, std::size_t m, const FoundKeys& found) {
    const PreparedCell& cell = job_.cells[c];
    const RunMode& mode = job_.modes[m];
    const runs::CellKey name{mode.name, cell.task->task->info().name, cell.length};
    for (std::size_t i = 0; i < cell.samples.size(); ++i) {
      const std::int64_t index = cell.samples[i].index;
      if (index % job_.world_size != job_.rank) continue;
      ++outcome_.planned;
      std::string key = key_of(cell, i, mode);
      const auto old = found.find({name, index});
      if (old != found.end() && old->second != key) refuse_other_data(name, index);
      if (store_.is_done(key)) {
        ++outcome_.found;
        continue;
      }
      tokens_ += sample_tokens(cell, cell.samples[i]);
      pending_[c][m].push_back({i, std::move(key)});
    }
  }

  [[noreturn]] void refuse_other_data(const runs::CellKey& cell, std::int64_t index) const {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: sample {} of {} was made from other data than now (its sources or "
                            "their generator changed), so the run cannot be continued; choose "
                            "another --output",
                            store_.found().folder, index, runs::to_string(cell)));
  }

  // The first request of a mode pays for allocations and kernel choices that no later one pays; a
  // short one of its own keeps them out of the sample's times. Its failures are left to the sample.
  void warm_up(const PreparedCell& cell, std::size_t mode, std::size_t position) {
    if (!warm_.insert(mode).second) return;
    const std::shared_ptr<const PreparedPrompt> prompt = prompt_of(cell, position);
    if (prompt->error) return;
    const WarmUp& size = job_.generator.device() == "cpu" ? kCpuWarmUp : kGpuWarmUp;
    engine::Request request;
    request.ids.assign(
        prompt->prompt.ids.begin(),
        prompt->prompt.ids.begin() + std::min(size.prompt, std::ssize(prompt->prompt.ids)));
    request.max_new_tokens = size.answer;
    request.ignore_eos = true;
    try {
      job_.generator.generate(request);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kDevice) throw;
    } catch (const std::exception&) {
      // What is wrong for samples as well is told of each of them.
    }
  }

  // One prompt serves all modes of the cell.
  std::shared_ptr<const PreparedPrompt> prompt_of(const PreparedCell& cell, std::size_t position) {
    std::shared_ptr<const PreparedPrompt>& kept = prompts_[position];
    if (kept) return kept;
    PreparedPrompt prompt = prepare_prompt({.cell = cell,
                                            .sample = cell.samples[position],
                                            .options = job_.options,
                                            .window = job_.generator.model().max_positions,
                                            .tokenizer = job_.tokenizer,
                                            .chat = job_.chat,
                                            .model = job_.generator.model().name});
    if (job_.options.log_prompts && !prompt.prompt_sha256.empty()) {
      runs::write_prompt(store_.found().folder, prompt.prompt_sha256, prompt.prompt.text);
    }
    prompt.prompt.text = {};  // its hash and ids are what later modes need
    kept = std::make_shared<const PreparedPrompt>(std::move(prompt));
    return kept;
  }

  void count(const SampleRun& run) {
    const runs::SampleRecord& record = run.record;
    ++outcome_.ran;
    if (record.outcome != runs::Outcome::kOk) {
      ++outcome_.failed;
      ++outcome_.failures[record.outcome];
    }
    if (record.truncated_tokens > 0) {
      ++outcome_.truncated;
      outcome_.truncated_tokens += record.truncated_tokens;
    }
    if (run.prompt->too_short) ++outcome_.short_samples;
  }

  const RunJob& job_;
  runs::RunStore& store_;
  std::map<std::string, std::string> settings_;
  RunOutcome outcome_;
  double tokens_ = 0;
  std::vector<std::vector<std::vector<Pending>>> pending_;  // [cell][mode]
  struct Place {
    std::size_t cell = 0, mode = 0, pending = 0;
  };
  Place place_;                                             // what is next
  std::optional<std::size_t> entered_cell_, entered_mode_;  // those that the engine is set to
  std::int64_t most_in_flight_, asked_ = 0;
  std::map<std::int64_t, SampleRun> in_flight_;                 // by number of the request
  std::vector<std::shared_ptr<const PreparedPrompt>> prompts_;  // of the cell that is asked for
  std::set<std::size_t> warm_;                                  // modes that have run
  Progress* progress_ = nullptr;
};

}  // namespace

std::int64_t most_in_flight(const RunOptions& options, std::string_view device) {
  constexpr std::int64_t kOnGpu = 32;
  if (options.timing) return 1;
  return options.batch_size.value_or(device == "cpu" ? 1 : kOnGpu);
}

std::vector<RunMode> resolve_modes(const std::vector<std::string>& names,
                                   engine::Generator& generator) {
  std::vector<RunMode> modes;
  for (const std::string& name : names) {
    generator.set_mode(name);
    // As asked, but for words that stand for a name: "routed" is recorded as what it was.
    const std::string full = generator.mode();
    const std::string options = name.substr(engine::mode_name(name).size());
    RunMode mode{std::string(engine::mode_name(full)) + options, full};
    for (const RunMode& other : modes) {
      if (other.full == mode.full) {
        throw Error(ErrorKind::kInvalidArgument,
                    fmt::format("--modes: `{}` and `{}` are the same mode ({}); give one of them",
                                other.name, name, mode.full));
      }
    }
    modes.push_back(std::move(mode));
  }
  return modes;
}

RunOutcome run_samples(const RunJob& job, runs::RunStore& store) { return Run(job, store).run(); }

}  // namespace elastic::harness
