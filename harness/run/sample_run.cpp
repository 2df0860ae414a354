#include "harness/run/sample_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/text.h"

namespace elastic::harness {
namespace {

constexpr std::string_view kOfficialBos = "official";
constexpr std::string_view kThoughtBegin = "<think>", kThoughtEnd = "</think>";
constexpr std::int64_t kThinkingTokens = 1024;  // where the user gives no budget

std::int64_t thinking_budget(const RunOptions& options) {
  return options.thinking == "on" ? options.thinking_tokens.value_or(kThinkingTokens) : 0;
}

// What follows the last thought.
std::string after_thought(const std::string& text) {
  const std::size_t at = text.rfind(kThoughtEnd);
  if (at == std::string::npos) return text;
  return std::string(strip(std::string_view(text).substr(at + kThoughtEnd.size())));
}

std::int64_t answer_budget(const PromptRequest& r) {
  return r.options.max_new_tokens.value_or(r.cell.task->task->info().max_new_tokens);
}

// Tokens a task may give a prompt. Synthetic tasks have their stated length and are checked against
// the window afterwards; fixed sets are cut to it.
std::int64_t prompt_limit(const PromptRequest& r) {
  if (r.options.max_length) return *r.options.max_length;
  return r.cell.length > 0 ? 0 : r.window - answer_budget(r);
}

void refuse_double_bos(const PromptRequest& r, const tasks::Prompt& prompt) {
  if (r.tokenizer == nullptr || prompt.ids.size() < 2 || r.options.bos == kOfficialBos) return;
  const std::optional<std::int32_t> bos = r.tokenizer->bos_id();
  if (!bos || prompt.ids[0] != *bos || prompt.ids[1] != *bos) return;
  throw Error(
      ErrorKind::kInvalidArgument,
      fmt::format("{}, sample {}: the prompt begins with two BOS tokens (id {}): the model "
                  "template `{}` writes one and the tokenizer adds another; choose a "
                  "template without it",
                  r.cell.task->task->info().name, r.sample.index, *bos, r.options.model_template));
}

// Prompt tokens without the BOS, which stated lengths and windows do not count.
std::int64_t counted_tokens(const PromptRequest& r, const tasks::Prompt& prompt) {
  const bool bos = r.tokenizer != nullptr && r.tokenizer->bos_id() && !prompt.ids.empty() &&
                   prompt.ids[0] == *r.tokenizer->bos_id();
  return static_cast<std::int64_t>(prompt.ids.size()) - (bos ? 1 : 0);
}

void check_length(const PromptRequest& r, PreparedPrompt& prepared) {
  const std::int64_t counted = counted_tokens(r, prepared.prompt);
  prepared.achieved_tokens = counted + r.cell.task->task->info().max_new_tokens;
  const std::int64_t budget = r.options.max_new_tokens.value_or(prepared.prompt.max_new_tokens) +
                              thinking_budget(r.options);
  if (counted + budget > r.window) {
    prepared.error =
        fmt::format("prompt of {} tokens and answer budget of {} exceed the model's window of {}",
                    prepared.prompt.ids.size(), budget, r.window);
    return;
  }
  prepared.too_short = static_cast<double>(prepared.achieved_tokens) <
                       kAchievedLength * static_cast<double>(r.cell.length);
  if (prepared.too_short && r.options.strict) {
    prepared.error = fmt::format("--strict: {} tokens of the stated length {} are below {:.0f} %",
                                 prepared.achieved_tokens, r.cell.length, 100 * kAchievedLength);
  }
}

void describe(SampleRun& run) {
  const tasks::TaskInfo& info = run.cell->task->task->info();
  runs::SampleRecord& r = run.record;
  r.task = info.name;
  r.length = run.cell->length;
  r.index = run.sample->index;
  r.references = run.sample->references;
  r.all_classes = run.sample->labels;
  r.metric = info.metric;
  r.strata = run.sample->strata;
  r.prompt_sha256 = run.prompt->prompt_sha256;
  r.ids_sha256 = run.prompt->ids_sha256;
  r.prompt_tokens = static_cast<std::int64_t>(run.prompt->prompt.ids.size());
  r.truncated_tokens = run.prompt->prompt.truncated_tokens;
  if (run.prompt->context.official_bos) r.strata["bos"] = kOfficialBos;
}

void fail(SampleRun& run, runs::Outcome outcome, std::string_view why) {
  run.record.outcome = outcome;
  run.record.error = std::string(why);
}

// A result with what the passes after the first cost.
struct Answer {
  engine::Result result;
  std::int64_t passes = 1;
  double later_prefill_ms = 0;
};

void fill(SampleRun& run, Answer answer) {
  runs::SampleRecord& r = run.record;
  engine::Result& result = answer.result;
  r.batch = result.batch;
  r.passes = answer.passes;
  if (answer.passes > 1) r.later_prefill_ms = answer.later_prefill_ms;
  r.prediction = std::move(result.text);
  r.output_tokens = static_cast<std::int64_t>(result.ids.size());
  r.msr = result.trace.msr;
  r.esr_last_query = result.trace.esr.last_query;
  r.esr_last_layer = result.trace.esr.last_layer;
  r.esr_all_layers = result.trace.esr.all_layers;
  r.block_density = result.trace.block_density;
  r.pv_density = result.trace.pv_density;
  r.read_share = result.trace.read_share;
  r.fallback_share = result.trace.fallback_share;
  r.routing = std::move(result.trace.routing);
  r.prefill_ms = result.timing.prefill_ms;
  r.router_ms = result.timing.router_ms;
  r.select_ms = result.timing.select_ms;
  r.attention_ms = result.timing.attention_ms;
  r.ttft_ms = result.timing.ttft_ms;
  r.decode_ms = result.timing.decode_ms;
  r.joules = result.joules;
  if (result.peak_bytes > 0) r.peak_bytes = result.peak_bytes;
  if (result.kv_bytes_full > 0) {
    r.kv_bytes = result.kv_bytes;
    r.kv_bytes_full = result.kv_bytes_full;
  }
  r.score = run.cell->task->task->score(*run.sample, r.prediction);
}

// The part of a second pass that counts: its text, and its tokens and time on top.
void add_pass(Answer& answer, engine::Result next) {
  engine::Result& result = answer.result;
  result.text = std::move(next.text);
  result.ids.insert(result.ids.end(), next.ids.begin(), next.ids.end());
  result.timing.decode_ms += next.timing.decode_ms;
  result.peak_bytes = std::max(result.peak_bytes, next.peak_bytes);
  result.kv_bytes = next.kv_bytes;
  result.kv_bytes_full = next.kv_bytes_full;
  result.joules =
      result.joules && next.joules ? std::optional(*result.joules + *next.joules) : std::nullopt;
  answer.later_prefill_ms += next.timing.ttft_ms;
  ++answer.passes;
}

// Answer of a model that thinks first: thought up to its closing tag within a budget of its own,
// then answered within the task's. Nothing where the thought does not end.
std::optional<Answer> think_and_answer(engine::Generator& generator, const RunOptions& options,
                                       const SampleRun& run) {
  engine::Request request = request_of(run, options);
  engine::Request thought = request;
  thought.max_new_tokens = thinking_budget(options);
  thought.stop = {std::string(kThoughtEnd)};
  thought.stop_ids.clear();
  Answer answer{generator.generate(thought)};
  const engine::Result& result = answer.result;
  if (result.finish == engine::Finish::kEos &&
      result.text.find(kThoughtBegin) == std::string::npos) {
    return answer;  // answered without a thought
  }
  if (result.finish != engine::Finish::kStop) return std::nullopt;
  request.ids.insert(request.ids.end(), result.ids.begin(), result.ids.end());
  add_pass(answer, generator.generate(request));
  return answer;
}

std::optional<Answer> answer_of(engine::Generator& generator, const RunOptions& options,
                                const SampleRun& run) {
  std::optional<Answer> answer;
  if (options.thinking == "on") {
    answer = think_and_answer(generator, options, run);
    if (!answer) return answer;
    answer->result.text = after_thought(answer->result.text);
  } else {
    answer = Answer{generator.generate(request_of(run, options))};
  }
  const auto second =
      run.cell->task->task->follow_up(*run.sample, run.prompt->context, answer->result.text);
  if (!second) return answer;
  engine::Request request = request_of(run, options);
  request.ids = second->ids;
  request.max_new_tokens = second->max_new_tokens;
  add_pass(*answer, generator.generate(request));
  return answer;
}

runs::Outcome failed_outcome(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kOutOfMemory:
      return runs::Outcome::kOom;
    case ErrorKind::kNonFinite:
      return runs::Outcome::kNonFinite;
    default:
      return runs::Outcome::kError;
  }
}

// What `body` throws is the sample's outcome, but for a dead device, which answers no other either.
template <typename Body>
void record_outcome(SampleRun& run, const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kDevice) throw;
    fail(run, failed_outcome(error.kind()), error.what());
  } catch (const std::bad_alloc&) {
    fail(run, runs::Outcome::kOom,
         fmt::format("out of memory on a prompt of {} tokens", run.record.prompt_tokens));
  } catch (const std::exception& error) {
    fail(run, runs::Outcome::kError, error.what());
  }
}

tasks::PromptContext context_of(const PromptRequest& r) {
  const std::int64_t thinking = thinking_budget(r.options);
  return {.tokenizer = r.tokenizer,
          .max_length = prompt_limit(r),
          .exact_length = r.options.max_length.has_value(),
          .window = std::max<std::int64_t>(1, r.window - thinking),
          .max_new_tokens = r.options.max_new_tokens,
          .chat_template = r.options.chat_template,
          .chat = r.chat,
          .thinking =
              r.options.thinking.empty() ? std::nullopt : std::optional(r.options.thinking == "on"),
          .official_bos = r.options.bos == kOfficialBos,
          .profile = r.cell.task->profile,
          .model = r.model};
}

}  // namespace

PreparedPrompt prepare_prompt(const PromptRequest& request) {
  stop_if_interrupted();
  const tasks::Task& task = *request.cell.task->task;
  PreparedPrompt prepared;
  prepared.context = context_of(request);
  try {
    prepared.prompt = task.prompt(request.sample, prepared.context);
  } catch (const Error& error) {
    prepared.error = error.what();
    return prepared;
  }
  refuse_double_bos(request, prepared.prompt);
  prepared.prompt_sha256 = sha256_hex(prepared.prompt.text);
  prepared.ids_sha256 = sha256_ids(prepared.prompt.ids);
  check_length(request, prepared);
  return prepared;
}

bool begin_sample(SampleRun& run, const engine::Generator& generator) {
  run.record.model = generator.model().name;
  describe(run);
  if (run.prompt->error) fail(run, runs::Outcome::kError, *run.prompt->error);
  return !run.prompt->error;
}

bool takes_one_request(const SampleRun& run, const RunOptions& options) {
  return options.thinking != "on" && !run.prompt->prompt.second_pass;
}

void finish_sample(SampleRun& run, std::variant<engine::Result, std::exception_ptr> outcome) {
  record_outcome(run, [&] {
    if (const auto* failure = std::get_if<std::exception_ptr>(&outcome)) {
      std::rethrow_exception(*failure);
    }
    fill(run, {std::move(std::get<engine::Result>(outcome))});
  });
}

void run_passes(engine::Generator& generator, const RunOptions& options, SampleRun& run) {
  record_outcome(run, [&] {
    if (auto answer = answer_of(generator, options, run)) {
      fill(run, std::move(*answer));
    } else {
      fail(run, runs::Outcome::kThinking,
           fmt::format("cut off while thinking after {} tokens; raise --thinking-tokens",
                       thinking_budget(options)));
    }
  });
}

engine::Request request_of(const SampleRun& run, const RunOptions& options) {
  engine::Request request;
  request.ids = run.prompt->prompt.ids;
  request.max_new_tokens = options.max_new_tokens.value_or(run.prompt->prompt.max_new_tokens);
  request.sampling.seed = options.seed;
  request.stop = run.prompt->prompt.stop;
  request.stop_ids = run.prompt->prompt.stop_ids;
  request.min_new_tokens = run.prompt->prompt.min_new_tokens;
  return request;
}

}  // namespace elastic::harness
