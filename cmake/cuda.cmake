# ELASTIC_CUDA ON, OFF or AUTO -> ELASTIC_BUILD_CUDA: whether libelastic_cuda.so is built. It takes a CUDA toolkit of
# LibTorch's major version; a GPU is not needed for building.
set(ELASTIC_BUILD_CUDA OFF)
if(NOT ELASTIC_ENGINE OR NOT ELASTIC_CUDA MATCHES "^(ON|AUTO)$")
  return()
endif()
find_package(CUDAToolkit QUIET)
if(CUDAToolkit_FOUND AND CUDAToolkit_VERSION_MAJOR EQUAL 13)
  set(ELASTIC_BUILD_CUDA ON)
  set(CMAKE_CUDA_ARCHITECTURES OFF)  # each target names its own
  set(CMAKE_CUDA_COMPILER "${CUDAToolkit_NVCC_EXECUTABLE}" CACHE FILEPATH "nvcc")
  set(CMAKE_CUDA_HOST_COMPILER "${CMAKE_CXX_COMPILER}" CACHE FILEPATH "of nvcc")
  enable_language(CUDA)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")  # which CMake 3.25 does not know of nvcc
  add_library(elastic_torch_cuda INTERFACE)
  # --no-as-needed: loading the library is what registers LibTorch's CUDA kernels.
  target_link_libraries(elastic_torch_cuda INTERFACE "-Wl,--no-as-needed" "${ELASTIC_TORCH_DIR}/lib/libtorch_cuda.so"
    "${ELASTIC_TORCH_DIR}/lib/libc10_cuda.so" "-Wl,--as-needed" "${ELASTIC_SITE}/nvidia/cu13/lib/libcudart.so.13")
elseif(ELASTIC_CUDA STREQUAL "ON")
  message(FATAL_ERROR "ELASTIC_CUDA=ON, but no CUDA 13 toolkit (nvcc) was found")
endif()
message(STATUS "CUDA library: ${ELASTIC_BUILD_CUDA} (toolkit ${CUDAToolkit_VERSION})")
