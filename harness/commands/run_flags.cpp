#include "harness/commands/run_flags.h"

#include <fmt/format.h>

#include <optional>

#include "base/text.h"
#include "harness/commands/config_file.h"
#include "harness/commands/flag_values.h"

namespace elastic::harness {
namespace {

// `--limit 20` or `--limit 0.1`; the last one given counts.
void set_limit(RunOptions& o, const std::string& text) {
  o.limit.reset();
  o.limit_share.reset();
  const std::optional<std::int64_t> count = parse_int(text);
  const std::optional<double> share = parse_double(text);
  if (count && *count >= 1 && *count <= kMostSamples) {
    o.limit = count;
  } else if (!count && share && *share > 0 && *share < 1) {
    o.limit_share = share;
  } else {
    throw CLI::ValidationError(
        "--limit", fmt::format("`{}` is neither a number of samples from 1 to {} nor a share of "
                               "them between 0 and 1",
                               text, kMostSamples));
  }
}

constexpr std::string_view kAuto = "auto";

std::string batch_size_problem(std::string& size) {
  return size == kAuto ? "" : whole_number(1, kMostBatch)(size);
}

void set_batch_size(RunOptions& o, const std::string& size) {
  o.batch_size = size == kAuto ? std::nullopt : parse_int(size);
}

}  // namespace

void add_prompt_flags(CLI::App& sub, RunOptions& o) {
  sub.add_option("--max-new-tokens", o.max_new_tokens, "Answer budget (default: the task's)")
      ->transform(token_count());
  sub.add_option("--max-length", o.max_length,
                 "Prompt tokens (4096, 4k) beyond which a prompt is truncated or refused, as its "
                 "task does")
      ->transform(token_count());
  sub.add_option("--model-template", o.model_template,
                 "RULER: wrapper of the prompt by name, or checkpoint: the model's own chat "
                 "template, the answer's beginning after the assistant's header (default base)");
  sub.add_flag_function(
      "--no-chat-template", [&o](std::int64_t count) { o.chat_template = count <= 0; },
      "Never wrap a prompt in the checkpoint's chat template");
  sub.add_option("--bos", o.bos, "single or official (default single)");
  sub.add_option("--thinking", o.thinking, "on or off, for models that think first");
  sub.add_option("--thinking-tokens", o.thinking_tokens, "Budget for thinking")
      ->transform(token_count());
}

void add_data_flags(CLI::App& sub, RunOptions& o) {
  sub.add_option("--data-dir", o.data_dir, "Folder of benchmark data (default: see `data list`)");
  sub.add_option("--cache-dir", o.cache_dir, "Folder of generated data");
}

void add_sample_flags(CLI::App& sub, RunOptions& o) {
  sub.add_option("-m,--model", o.model, kModelHelp);
  sub.add_option("--router", o.router, kRouterHelp);
  sub.add_option("-t,--tasks,--task", o.tasks, "Comma-separated tasks or suites; see `tasks`");
  sub.add_option("--lengths,--length", o.lengths,
                 "Comma-separated token counts for tasks that have lengths (default 4k..128k, at "
                 "most the model's window)");
  sub.add_option_function<std::string>(
      "-L,--limit", [&o](const std::string& text) { set_limit(o, text); },
      "Samples per task and length (default: RULER 50, else all), or a share of these: 0.1");
  sub.add_option("--seed", o.seed, "Seed of the data (default 42)")
      ->transform(whole_number(0, kMostSeed));
  sub.add_option("--profile,--profiles", o.profiles,
                 "Comma-separated profiles, at most one a suite");
  sub.add_option("--device", o.device, "cpu, cuda or auto");
  sub.add_option("--dtype", o.dtype, "fp32, bf16 or auto (fp32 on CPU)");
  add_prompt_flags(sub, o);
  add_data_flags(sub, o);
}

void add_run_flags(CLI::App& sub, RunOptions& o, std::string& config) {
  sub.option_defaults()->take_last();  // a script's flags can be overridden by appending
  add_sample_flags(sub, o);
  sub.add_option("--modes,--mode", o.modes, "Comma-separated attention modes: fa,ssa,fa-ssa,...");
  sub.add_option(kOutputFlag, o.output, "Run folder; resumed where it has samples");
  sub.add_option_function<std::string>(
         "-b,--batch-size", [&o](const std::string& size) { set_batch_size(o, size); },
         "Samples in flight at most, or auto: 32 on a GPU, 1 on the CPU; answers do not depend on "
         "it")
      ->transform(CLI::Validator(batch_size_problem, ""));
  sub.add_flag("--timing", o.timing, "One sample at a time, after a warm-up: times are latencies");
  add_config_flag(sub, config);
  sub.add_flag("--log-prompts", o.log_prompts, "Keep every prompt, compressed, beside the run");
  sub.add_flag("--strict", o.strict, "A sample below 95 % of its stated length fails");
  sub.add_flag_function(
      "--no-resume", [&o](std::int64_t count) { o.resume = count <= 0; },
      "Start anew: refuse a folder that already holds a run");
  sub.add_flag("--dry-run", o.dry_run, "Print the plan and stop");
}

}  // namespace elastic::harness
