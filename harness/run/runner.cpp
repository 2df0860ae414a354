#include "harness/run/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

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
      : job_(job), store_(store), settings_(key_settings(job)) {}

  RunOutcome run() {
    collect();
    Progress progress("run", outcome_.planned - outcome_.found, tokens_);
    progress_ = &progress;
    try {
      run_cells();
    } catch (const Interrupted& stop) {
      outcome_.signal = stop.signal;
    }
    return outcome_;
  }

 private:
  void run_cells() {
    for (std::size_t c = 0; c < job_.cells.size(); ++c) {
      prompts_.assign(job_.cells[c].samples.size(), std::nullopt);
      for (std::size_t m = 0; m < job_.modes.size(); ++m) {
        if (pending_[c][m].empty()) continue;
        job_.generator.set_mode(job_.modes[m].name);
        warm_up(job_.cells[c], m, pending_[c][m].front().sample);
        run_cell(job_.cells[c], job_.modes[m], pending_[c][m]);
      }
    }
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
    const PreparedPrompt& prompt = prompt_of(cell, position);
    if (prompt.error) return;
    const WarmUp& size = job_.generator.device() == "cpu" ? kCpuWarmUp : kGpuWarmUp;
    engine::Request request;
    request.ids.assign(
        prompt.prompt.ids.begin(),
        prompt.prompt.ids.begin() + std::min(size.prompt, std::ssize(prompt.prompt.ids)));
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

  void run_cell(const PreparedCell& cell, const RunMode& mode,
                const std::vector<Pending>& pending) {
    const auto batch = static_cast<std::size_t>(job_.options.batch_size);
    for (std::size_t begin = 0; begin < pending.size(); begin += batch) {
      stop_if_interrupted();
      const std::size_t end = std::min(begin + batch, pending.size());
      run_next(cell, mode, {pending.data() + begin, end - begin});
    }
  }

  void run_next(const PreparedCell& cell, const RunMode& mode, std::span<const Pending> batch) {
    std::vector<SampleRun> runs;
    for (const Pending& pending : batch) {
      SampleRun& run = runs.emplace_back();
      run.cell = &cell;
      run.sample = &cell.samples[pending.sample];
      run.prompt = &prompt_of(cell, pending.sample);
      run.record.key = pending.key;
      run.record.mode = mode.name;
    }
    run_batch(job_.generator, job_.options, runs);
    std::string label = fmt::format("{} {}", mode.name, cell.task->task->info().name);
    if (cell.length > 0) label += fmt::format(" {}", format_length(cell.length));
    for (const SampleRun& run : runs) {
      store_.append(run.record);
      count(run);
      progress_->advance(sample_tokens(cell, *run.sample), label);
    }
  }

  // One prompt serves all modes of the cell.
  const PreparedPrompt& prompt_of(const PreparedCell& cell, std::size_t position) {
    std::optional<PreparedPrompt>& prompt = prompts_[position];
    if (prompt) return *prompt;
    prompt = prepare_prompt({.cell = cell,
                             .sample = cell.samples[position],
                             .options = job_.options,
                             .window = job_.generator.model().max_positions,
                             .tokenizer = job_.tokenizer,
                             .chat = job_.chat,
                             .model = job_.generator.model().name});
    if (job_.options.log_prompts && !prompt->prompt_sha256.empty()) {
      runs::write_prompt(store_.found().folder, prompt->prompt_sha256, prompt->prompt.text);
    }
    prompt->prompt.text = {};  // its hash and ids are what later modes need
    return *prompt;
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
  std::vector<std::optional<PreparedPrompt>> prompts_;      // of the cell that runs
  std::set<std::size_t> warm_;                              // modes that have run
  Progress* progress_ = nullptr;
};

}  // namespace

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
