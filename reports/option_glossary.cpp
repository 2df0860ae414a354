#include "reports/option_glossary.h"

namespace elastic::reports {
namespace {

struct Explained {
  std::string_view mode;  // empty: any that has no entry of its own
  std::string_view option, meaning;
};

constexpr Explained kGlossary[] = {
    {"", "sink", "first tokens of the prompt, visible to every later one"},
    {"", "local", "tokens right before a query that it sees, the window"},
    {"", "block", "tokens of a block of the mask; 1: exact tokens"},
    {"", "decode", "what decode steps read: the cache cut to what heads keep, or all of it"},
    {"", "prefill", "mask of the prompt: the window, chunk by chunk, or dense"},
    {"", "prefill_chunk", "tokens of a chunk, within which a prompt's rows see all before them"},
    {"", "last", "the prompt's last token is a row like others, or the first decode step"},
    {"", "pattern", "file that fixes which heads are sparse"},
    {"", "pattern_sha256", "first digits of that file's hash"},
    {"", "tau_sha256", "first digits of the hash of the file of thresholds"},
    {"", "sparsity", "share of heads in sparse mode"},
    {"", "threshold", "gate from which a head stays full"},
    {"", "heads", "who fixes the sparse heads; random: drawn, the same for every prompt"},
    {"", "seed", "of the draw of heads"},
    {"", "weights", "whether the weights were trained for the method"},
    {"", "budget", "tokens that a KV head keeps or reads"},
    {"", "ratio", "share of the prompt that is evicted from the cache"},
    {"", "adakv", "share of the budget that is each head's own; the rest goes to the best of all"},
    {"", "window", "last queries of the prompt that score its keys, kept always"},
    {"", "kernel", "tokens that the scores of keys are pooled over"},
    {"", "pool", "how they are pooled"},
    {"", "topk", "blocks or chunks that a row reads"},
    {"", "stride", "tokens between two windows of keys, or between sampled rows"},
    {"", "init", "first blocks, read always"},
    {"", "dense", "first layers, which stay dense"},
    {"", "min", "tokens or blocks that are kept at least"},
    {"", "max", "tokens that are kept at most; 0: no limit"},
    {"", "rule", "variant of the choice"},
    {"skip", "scale",
     "of prompts: a tile is skipped below scale / keys of the softmax; 0 skips nothing"},
    {"skip", "decode_scale", "the same of decode steps"},
    {"skip", "tile", "queries x keys of the tiles that are passed over"},
    {"skip", "order", "in which a row visits its tiles, by position"},
    {"xa", "stride", "antidiagonals that a block's scores are sampled at"},
    {"xa", "tau", "share of the estimated mass that the chosen blocks hold"},
    {"xa", "block", "tokens of a block that is chosen or not"},
    {"flexprefill", "gamma", "share of the mass that the choice holds"},
    {"flexprefill", "tau", "divergence below which a head goes by its queries"},
    {"flexprefill", "block", "tokens of a block that is chosen or not"},
    {"flashprefill", "alpha", "share of a row's best score from which blocks are kept"},
    {"flashprefill", "block", "tokens of a block that is chosen or not"},
    {"flashprefill", "sink", "first blocks, kept always"},
    {"flashprefill", "window", "nearest blocks, kept always"},
    {"flashprefill", "last", "last blocks of queries, which see everything"},
    {"quest", "page", "keys of a page, which is read or not"},
    {"quest", "share", "whether the query heads of a KV head read the same pages"},
    {"oracle-topk", "k", "keys attended to; below 1: a share of them"},
    {"oracle-topk", "sink", "first tokens, attended to always"},
    {"oracle-topk", "local", "last tokens, attended to always"},
    {"oracle-topp", "p", "share of the softmax that the chosen keys hold"},
    {"oracle-topp", "sink", "first tokens, attended to always"},
    {"oracle-topp", "local", "last tokens, attended to always"},
    {"expected-attention", "future", "positions after the prompt whose queries are expected"},
    {"expected-attention", "eps", "added to every expected weight"},
    {"moba", "chunk", "tokens of a chunk of keys"},
    {"infllm2", "kernel", "keys of a window whose mean stands for them"},
    {"infllm2", "coarse", "keys of the larger windows, which estimate the softmax's sum"},
    {"infllm2", "coarse_stride", "tokens between two of those"},
    {"infllm2", "dense_len", "keys below which attention is dense"},
    {"infllm2", "rounding", "windows at the prompt's end: exact, or as the published kernels"},
    {"nsa", "compress", "how a window of keys becomes one"},
    {"nsa", "kernel", "keys of a window that becomes one"},
    {"nsa", "local", "nearest blocks, read always"},
    {"nsa", "window", "tokens of the sliding window"},
};

}  // namespace

std::string_view option_meaning(std::string_view mode, std::string_view option) {
  std::string_view meaning;
  for (const Explained& entry : kGlossary) {
    if (entry.option != option) continue;
    if (entry.mode == mode) return entry.meaning;
    if (entry.mode.empty()) meaning = entry.meaning;
  }
  return meaning;
}

}  // namespace elastic::reports
