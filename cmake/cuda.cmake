# ELASTIC_CUDA ON, OFF or AUTO -> ELASTIC_BUILD_CUDA: whether libelastic_cuda.so is built. The compiler is the one that
# set-up pins, else nvcc of a toolkit of LibTorch's major version; a GPU is not needed for building.
set(ELASTIC_BUILD_CUDA OFF)
if(NOT ELASTIC_ENGINE OR NOT ELASTIC_CUDA MATCHES "^(ON|AUTO)$")
  return()
endif()
find_program(nvcc nvcc NO_CACHE NO_DEFAULT_PATH PATHS "${ELASTIC_DEPS_DIR}/nvcc/nvidia/cu13/bin")
find_program(nvcc nvcc NO_CACHE PATHS /usr/local/cuda/bin)
set(nvcc_version none)
if(nvcc)
  execute_process(COMMAND "${nvcc}" --version OUTPUT_VARIABLE nvcc_version)
  string(REGEX REPLACE ".* V([0-9.]+).*" "\\1" nvcc_version "${nvcc_version}")
endif()
if(nvcc_version MATCHES "^13\\.")
  set(ELASTIC_BUILD_CUDA ON)
elseif(ELASTIC_CUDA STREQUAL "ON")
  message(FATAL_ERROR "ELASTIC_CUDA=ON, but no compiler of CUDA 13 (nvcc: ${nvcc_version}): run scripts/setup.sh --nvcc")
else()
  message(STATUS "CUDA library: OFF, no compiler of CUDA 13 (nvcc: ${nvcc_version}); scripts/setup.sh --nvcc brings one")
  return()
endif()
message(STATUS "CUDA library: ON, nvcc ${nvcc_version} (${nvcc})")
if(nvcc_version VERSION_LESS 13.3)
  message(WARNING "nvcc ${nvcc_version}: before 13.3 the assembler may overwrite registers that a wgmma still reads, and "
    "prefill_hopper.cu feeds it from registers. scripts/setup.sh --nvcc brings a newer one.")
endif()

if(NOT ELASTIC_NVCC STREQUAL "${nvcc} ${nvcc_version}")  # what CMake learned of another compiler does not hold
  file(REMOVE "${CMAKE_PLATFORM_INFO_DIR}/CMakeCUDACompiler.cmake")
  set(CMAKE_CUDA_COMPILER "${nvcc}" CACHE FILEPATH "nvcc" FORCE)
  set(ELASTIC_NVCC "${nvcc} ${nvcc_version}" CACHE INTERNAL "that the build folder was configured with")
endif()
set(CMAKE_CUDA_ARCHITECTURES OFF)  # each target names its own
set(CMAKE_CUDA_HOST_COMPILER "${CMAKE_CXX_COMPILER}" CACHE FILEPATH "of nvcc")
enable_language(CUDA)
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")  # which CMake 3.25 does not know of nvcc
add_library(elastic_torch_cuda INTERFACE)
# Headers of the compiler's version, the library of LibTorch's.
target_include_directories(elastic_torch_cuda SYSTEM INTERFACE "${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES}")
# --no-as-needed: loading the library is what registers LibTorch's CUDA kernels.
target_link_libraries(elastic_torch_cuda INTERFACE "-Wl,--no-as-needed" "${ELASTIC_TORCH_DIR}/lib/libtorch_cuda.so"
  "${ELASTIC_TORCH_DIR}/lib/libc10_cuda.so" "-Wl,--as-needed" "${ELASTIC_SITE}/nvidia/cu13/lib/libcudart.so.13")
