#include "engine/train/process_group.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <netdb.h>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <cstring>
#include <string>

#include "base/error.h"
#include "base/log.h"

namespace elastic::engine {
namespace {

std::string key_of(std::int64_t round, int rank) {
  return fmt::format("elastic/{}/{}", round, rank);
}

std::vector<std::uint8_t> bytes_of(const at::Tensor& host) {
  const auto* data = static_cast<const std::uint8_t*>(host.const_data_ptr());
  return {data, data + host.nbytes()};
}

// The store itself would try an unknown name for five minutes.
void require_known(const std::string& address) {
  addrinfo* found = nullptr;
  const int code = getaddrinfo(address.c_str(), nullptr, nullptr, &found);
  if (code == 0) {
    freeaddrinfo(found);
    return;
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("MASTER_ADDR is `{}`: {}; name the host of rank 0, 127.0.0.1 for "
                          "processes of one machine",
                          address, gai_strerror(code)));
}

}  // namespace

struct ProcessGroup::Impl {
  c10::intrusive_ptr<c10d::TCPStore> store;
};

ProcessGroup::ProcessGroup(const ProcessOptions& options) : options_(options) {
  require_known(options.address);
  c10d::TCPStoreOptions store;
  store.port = static_cast<std::uint16_t>(options.port);
  store.isServer = options.rank == 0 && !options.launcher_serves;
  store.numWorkers = static_cast<std::size_t>(options.world);
  store.waitWorkers = false;
  try {
    impl_ =
        std::make_unique<Impl>(Impl{c10::make_intrusive<c10d::TCPStore>(options.address, store)});
  } catch (const c10::Error& error) {
    const std::string text = error.what_without_backtrace();
    throw Error(ErrorKind::kIo, fmt::format("processes at {}:{}: {}", options.address, options.port,
                                            text.substr(0, text.find('\n'))));
  }
}

ProcessGroup::~ProcessGroup() {
  try {
    impl_->store->set(fmt::format("elastic/done/{}", rank()), {1});
    if (rank() != 0) return;
    for (int other = 1; other < world(); ++other) {
      impl_->store->wait({fmt::format("elastic/done/{}", other)});
    }
  } catch (const std::exception& error) {
    log_warning(fmt::format("the other processes did not end in time: {}", error.what()));
  }
}

void ProcessGroup::sum(const std::vector<at::Tensor>& tensors) {
  const at::NoGradGuard off;
  std::vector<at::Tensor> flat;
  for (const at::Tensor& tensor : tensors) flat.push_back(tensor.detach().reshape(-1));
  const at::Tensor mine = at::cat(flat).to(at::kCPU).contiguous();
  impl_->store->set(key_of(round_, rank()), bytes_of(mine));
  at::Tensor total;
  for (int other = 0; other < world(); ++other) {
    const std::vector<std::uint8_t> bytes = impl_->store->get(key_of(round_, other));
    check(bytes.size() == mine.nbytes(), "processes exchange the same tensors");
    const at::Tensor theirs =
        at::from_blob(const_cast<std::uint8_t*>(bytes.data()), mine.sizes(), mine.options());
    total = total.defined() ? total + theirs : theirs.clone();
  }
  // Whoever set its key of this round has read all of the round before the last.
  if (round_ >= 2) impl_->store->deleteKey(key_of(round_ - 2, rank()));
  ++round_;
  std::int64_t start = 0;
  for (const at::Tensor& tensor : tensors) {
    at::Tensor target = tensor.detach();
    target.copy_(total.narrow(0, start, tensor.numel()).view(tensor.sizes()));
    start += tensor.numel();
  }
}

}  // namespace elastic::engine
