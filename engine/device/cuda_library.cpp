#include "engine/device/cuda_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "engine/device/cuda_interface.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;

constexpr int kMostDevices = 64;

fs::path library_path() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return program.parent_path() / "libelastic_cuda.so";
}

CudaLibrary without_gpu(std::string problem, bool broken = true) {
  CudaLibrary library;
  library.problem = std::move(problem);
  library.broken = broken;
  return library;
}

template <typename Function>
Function* symbol(void* handle, const char* name) {
  return reinterpret_cast<Function*>(dlsym(handle, name));
}

CudaLibrary read_devices(void* handle) {
  const auto version = symbol<decltype(elastic_cuda_version)>(handle, "elastic_cuda_version");
  if (version == nullptr || version() != kCudaInterfaceVersion) {
    return without_gpu("libelastic_cuda.so is of another version: build both in one go");
  }
  const auto devices = symbol<decltype(elastic_cuda_devices)>(handle, "elastic_cuda_devices");
  std::vector<CudaDeviceInfo> found(kMostDevices);
  const char* problem = "";
  const int count = devices(found.data(), kMostDevices, &problem);
  if (count < 0) return without_gpu(fmt::format("CUDA error {}: {}", -count, problem));
  if (count == 0) return without_gpu("the NVIDIA driver shows no GPU to this process", false);
  CudaLibrary library;
  library.attention = symbol<decltype(elastic_cuda_attention)>(handle, "elastic_cuda_attention");
  library.step = symbol<decltype(elastic_cuda_step)>(handle, "elastic_cuda_step");
  for (int i = 0; i < std::min(count, kMostDevices); ++i) {
    const CudaDeviceInfo& device = found[static_cast<std::size_t>(i)];
    library.devices.push_back({device.name, device.pci, device.major, device.minor,
                               device.total_bytes, device.free_bytes});
  }
  return library;
}

CudaLibrary open_library() {
  if (dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) == nullptr) {
    return without_gpu("no NVIDIA driver on this machine", false);
  }
  const fs::path path = library_path();
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    return without_gpu(fmt::format(
        "{} is not there: run scripts/setup.sh --cuda, then scripts/build.sh", path.string()));
  }
  void* handle = dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) {
    return without_gpu(fmt::format(
        "{}; scripts/setup.sh --cuda installs the CUDA libraries that LibTorch needs", dlerror()));
  }
  return read_devices(handle);
}

}  // namespace

const CudaLibrary& cuda_library() {
  static const CudaLibrary library = open_library();
  return library;
}

}  // namespace elastic::engine
