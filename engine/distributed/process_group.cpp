// c10d's headers include more of ATen than the engine's sources otherwise may, and declare Gloo's
// class only where they are told so.
#undef TORCH_ASSERT_ONLY_METHOD_OPERATORS
#define USE_C10D_GLOO

#include "engine/distributed/process_group.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string_view>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/distributed/addresses.h"

namespace elastic::engine {
namespace {

// gloo_declared/ stands in for headers that fit this LibTorch.
static_assert(TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR == 11);
#ifdef __x86_64__
static_assert(sizeof(c10d::ProcessGroupGloo) == 488);
static_assert(sizeof(c10d::ProcessGroupGloo::Options) == 176);
static_assert(sizeof(c10d::ProcessGroupGloo::GlooStore) == 16);
#endif

// c10d notes every collective in a record of the whole process, which nothing here reads and which
// groups of two threads, as in tests, write at the same time without a lock. Read once, at the
// first collective; set before there are threads.
[[maybe_unused]] const int kNoRecord = setenv("TORCH_FR_BUFFER_SIZE", "0", 0);

constexpr auto kPoll = std::chrono::milliseconds(20);
constexpr const char* kFault = "fault";  // key: why the processes cannot come together

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

// "rank 1 of 2 at 127.0.0.1:29500: ..."
Error failure(const ProcessOptions& o, const std::string& what, ErrorKind kind = ErrorKind::kIo) {
  return Error(kind,
               fmt::format("rank {} of {} at {}:{}: {}", o.rank, o.world, o.address, o.port, what));
}

struct JobStore {
  c10::intrusive_ptr<c10d::Store> store;
  bool served_here = false;
};

JobStore connect(const ProcessOptions& o, bool as_server, double seconds) {
  c10d::TCPStoreOptions store;
  store.port = static_cast<std::uint16_t>(o.port);
  store.isServer = as_server;
  store.waitWorkers = false;
  store.timeout = milliseconds(seconds);
  const auto whole = c10::make_intrusive<c10d::TCPStore>(o.address, store);
  whole->setTimeout(milliseconds(o.join_seconds));
  return {c10::make_intrusive<c10d::PrefixStore>("elastic/" + o.job, whole), as_server};
}

// Where the port is taken, a second process that says it is rank 0 joins the first one's store, so
// that the roll call tells them both.
JobStore open_store(const ProcessOptions& o) {
  constexpr double kTakenSeconds = 5;
  const bool serves = o.rank == 0 && !o.launcher_serves;
  // c10d itself would try for up to twice the time.
  if (!serves && !wait_for_server(o.address, o.port, o.join_seconds)) {
    throw failure(o, fmt::format("{} is not reached within {:.0f} s; start it, and name its host "
                                 "in MASTER_ADDR and its port in MASTER_PORT",
                                 o.launcher_serves ? "the launcher" : "rank 0", o.join_seconds));
  }
  std::string why;
  try {
    return connect(o, serves, serves ? o.join_seconds : kTakenSeconds);
  } catch (const std::exception& error) {
    why = first_line(error);
  }
  if (serves && wait_for_server(o.address, o.port, 0)) {
    try {
      return connect(o, false, kTakenSeconds);
    } catch (const std::exception&) {
      // no store: another program listens there
    }
  }
  throw failure(o, fmt::format("no store there ({}); choose a free port in MASTER_PORT, and name "
                               "the host of rank 0 in MASTER_ADDR",
                               why));
}

// Says why there is no group to all who wait for it, then to the caller.
[[noreturn]] void refuse(c10d::Store& store, const ProcessOptions& o, const std::string& why) {
  store.set(kFault, why);
  throw failure(o, why, ErrorKind::kInvalidArgument);
}

std::string missing_ranks(c10d::Store& store, const ProcessOptions& o) {
  std::string missing;
  for (int rank = 0; rank < o.world; ++rank) {
    if (store.check({fmt::format("world/{}", rank)})) continue;
    missing += fmt::format("{}{}", missing.empty() ? "" : ", ", rank);
  }
  return missing;
}

// Returns once every rank is there, each once, and told of as many processes as this one.
void call_roll(c10d::Store& store, const ProcessOptions& o) {
  store.add("came", 1);
  if (store.add(fmt::format("claims/{}", o.rank), 1) > 1) {
    refuse(store, o,
           fmt::format("two processes are rank {}; give each a RANK of its own, and each "
                       "job a MASTER_PORT of its own",
                       o.rank));
  }
  store.set(fmt::format("world/{}", o.rank), std::to_string(o.world));
  const Stopwatch watch;
  for (int other = 0; other < o.world; ++other) {
    const std::string key = fmt::format("world/{}", other);
    while (!store.check({key})) {
      if (store.check({kFault})) {
        throw failure(o, store.get_to_str(kFault), ErrorKind::kInvalidArgument);
      }
      if (watch.seconds() > o.join_seconds) {
        throw failure(o, fmt::format("of the {} processes these ranks did not come within {:.0f} "
                                     "s: {}; start them, or set WORLD_SIZE to how many there are",
                                     o.world, o.join_seconds, missing_ranks(store, o)));
      }
      stop_if_interrupted();
      std::this_thread::sleep_for(kPoll);
    }
    const std::string world = store.get_to_str(key);
    if (world == std::to_string(o.world)) continue;
    refuse(store, o,
           fmt::format("WORLD_SIZE is {} for rank {} and {} for rank {}; give all "
                       "processes the same",
                       o.world, o.rank, world, other));
  }
  if (store.check({kFault})) {
    throw failure(o, store.get_to_str(kFault), ErrorKind::kInvalidArgument);
  }
}

// The store ends with the process that serves it: that one waits until all who came have left.
void leave(const JobStore& job, double seconds) {
  try {
    const std::int64_t came = job.store->add("came", 0);
    job.store->add("left", 1);
    const Stopwatch watch;
    while (job.served_here && job.store->add("left", 0) < came) {
      if (watch.seconds() > seconds) {
        return log_warning(fmt::format("the other processes did not end within {:.0f} s", seconds));
      }
      std::this_thread::sleep_for(kPoll);
    }
  } catch (const std::exception&) {
    return;  // whoever served it has left already and waits for nobody
  }
}

c10::intrusive_ptr<c10d::Backend> connect_all(const c10::intrusive_ptr<c10d::Store>& store,
                                              const ProcessOptions& o, const std::string& own) {
  const auto gloo = c10d::ProcessGroupGloo::Options::create(milliseconds(o.join_seconds));
  const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
  gloo->devices.push_back(interface != nullptr
                              ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
                              : c10d::ProcessGroupGloo::createDeviceForHostname(own));
  try {
    return c10::make_intrusive<c10d::ProcessGroupGloo>(store, o.rank, o.world, gloo);
  } catch (const std::exception& error) {
    throw failure(o, fmt::format("the processes meet but do not reach each other from {} ({}); "
                                 "name the network interface between them in GLOO_SOCKET_IFNAME",
                                 interface != nullptr ? interface : own, first_line(error)));
  }
}

// `text` as JSON, and of a long one what lies around the byte where it differs from `other`.
std::string excerpt(const std::string& text, const std::string& other) {
  constexpr std::size_t kBefore = 30, kLongest = 100;
  if (text.size() <= kLongest) return text;
  const auto differs = std::mismatch(text.begin(), text.end(), other.begin(), other.end()).first;
  const auto at = static_cast<std::size_t>(differs - text.begin());
  const std::size_t start = at > kBefore ? at - kBefore : 0;
  return fmt::format("{}{}{}", start > 0 ? "..." : "", text.substr(start, kLongest),
                     start + kLongest < text.size() ? "..." : "");
}

// Throws for the first key whose value differs between rank 0 and the other.
void compare(const ProcessOptions& o, const Json& zero, const Json& theirs, int other) {
  Json all = zero;
  all.update(theirs);
  for (const auto& [key, unused] : all.items()) {
    const std::string a = dump_line(zero.value(key, Json())),
                      b = dump_line(theirs.value(key, Json()));
    if (a == b) continue;
    throw failure(o,
                  fmt::format("`{}` is {} for rank 0 and {} for rank {}; start all processes with "
                              "the same program, configuration and files",
                              key, excerpt(a, b), excerpt(b, a), other),
                  ErrorKind::kInvalidArgument);
  }
}

// Waits for a collective.
void finish(const ProcessOptions& o, bool& broken, const auto& start) {
  try {
    start()->wait();
  } catch (const std::exception& error) {
    broken = true;
    throw failure(o, fmt::format("another process ended or is silent ({}); its own error says "
                                 "why. Start all of them again, with --resume where there is a "
                                 "checkpoint",
                                 first_line(error)));
  }
}

}  // namespace

struct ProcessGroup::Impl {
  JobStore job;
  c10::intrusive_ptr<c10d::Backend> backend;
  bool broken = false;  // a collective failed: the others are gone or unreachable
};

ProcessGroup::ProcessGroup(const ProcessOptions& options)
    : options_(options), impl_(std::make_unique<Impl>()) {
  constexpr double kFaultSeconds = 3;
  const std::string own = own_address(options.address, options.port);
  impl_->job = open_store(options);
  try {
    call_roll(*impl_->job.store, options);
    impl_->backend = connect_all(impl_->job.store, options, own);
  } catch (const Error&) {
    leave(impl_->job, kFaultSeconds);
    throw;
  } catch (const std::exception& error) {
    throw failure(options, fmt::format("rank 0 ended before all had come ({}); its own error says "
                                       "why",
                                       first_line(error)));
  }
}

ProcessGroup::~ProcessGroup() {
  constexpr double kEndSeconds = 30;
  impl_->backend.reset();  // whoever still waits for this one learns that it is gone
  if (impl_->broken || std::uncaught_exceptions() > 0) return;
  leave(impl_->job, kEndSeconds);
}

void ProcessGroup::agree(const std::string& settings) {
  c10d::AllgatherOptions wait;
  wait.timeout = milliseconds(options_.silence_seconds);
  const auto gather = [&](const at::Tensor& own) {
    std::vector<std::vector<at::Tensor>> all(1);
    for (int rank = 0; rank < world(); ++rank) all[0].push_back(at::empty_like(own));
    std::vector<at::Tensor> mine{own};
    finish(options_, impl_->broken, [&] { return impl_->backend->allgather(all, mine, wait); });
    return all[0];
  };
  const at::Tensor size = at::empty({1}, at::TensorOptions(at::kLong));
  *size.mutable_data_ptr<std::int64_t>() = static_cast<std::int64_t>(settings.size());
  std::vector<std::int64_t> sizes;
  for (const at::Tensor& of : gather(size)) sizes.push_back(*of.const_data_ptr<std::int64_t>());
  const at::Tensor text =
      at::empty({*std::max_element(sizes.begin(), sizes.end())}, at::TensorOptions(at::kByte));
  std::memset(text.mutable_data_ptr(), 0, text.nbytes());
  std::memcpy(text.mutable_data_ptr(), settings.data(), settings.size());
  const std::vector<at::Tensor> texts = gather(text);
  std::vector<Json> all;
  for (std::size_t rank = 0; rank < texts.size(); ++rank) {
    all.push_back(parse_json({static_cast<const char*>(texts[rank].const_data_ptr()),
                              static_cast<std::size_t>(sizes[rank])},
                             fmt::format("settings of rank {}", rank)));
  }
  for (int other = 1; other < world(); ++other) {
    compare(options_, all[0], all[static_cast<std::size_t>(other)], other);
  }
}

void ProcessGroup::sum(const std::vector<at::Tensor>& tensors) {
  const at::NoGradGuard off;
  std::vector<at::Tensor> flat;
  flat.reserve(tensors.size());
  for (const at::Tensor& tensor : tensors) flat.push_back(tensor.detach().reshape(-1));
  std::vector<at::Tensor> total{at::cat(flat).to(at::kCPU)};
  c10d::AllreduceOptions wait;
  wait.timeout = milliseconds(options_.silence_seconds);
  finish(options_, impl_->broken, [&] { return impl_->backend->allreduce(total, wait); });
  std::int64_t start = 0;
  for (const at::Tensor& tensor : tensors) {
    at::Tensor target = tensor.detach();
    target.copy_(total[0].narrow(0, start, tensor.numel()).view(tensor.sizes()));
    start += tensor.numel();
  }
}

}  // namespace elastic::engine
