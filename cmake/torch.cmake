# LibTorch out of the PyPI wheel, as an imported target: headers and the CPU libraries only, so that a
# program links and starts without any CUDA installation. (TorchConfig.cmake would drag CUDA in.)
file(GLOB _torch_candidates
  "${ELASTIC_DEPS_DIR}/venv/lib/python3*/site-packages/torch" "$ENV{ELASTIC_TORCH_DIR}")
if(NOT _torch_candidates)
  message(FATAL_ERROR "LibTorch not found under ${ELASTIC_DEPS_DIR}: run scripts/setup.sh, set "
    "ELASTIC_TORCH_DIR to a torch 2.11 package folder, or configure the preset `core` (no engine).")
endif()
list(GET _torch_candidates 0 ELASTIC_TORCH_DIR)
message(STATUS "LibTorch: ${ELASTIC_TORCH_DIR}")

add_library(elastic_torch INTERFACE)
target_include_directories(elastic_torch SYSTEM INTERFACE "${ELASTIC_TORCH_DIR}/include")
target_compile_definitions(elastic_torch INTERFACE
  FMT_HEADER_ONLY AT_PER_OPERATOR_HEADERS TORCH_ASSERT_ONLY_METHOD_OPERATORS)
target_link_libraries(elastic_torch INTERFACE
  "${ELASTIC_TORCH_DIR}/lib/libtorch_cpu.so" "${ELASTIC_TORCH_DIR}/lib/libc10.so"
  "${ELASTIC_TORCH_DIR}/lib/libgomp.so.1")
# at::parallel_for is a template over OpenMP: compile with it, and link the wheel's own runtime so that one pool of
# threads serves LibTorch and us.
target_compile_options(elastic_torch INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-fopenmp>")
# libtorch_cpu.so itself needs libcudart and libcupti, which lie in sibling folders of the wheel tree.
get_filename_component(ELASTIC_SITE "${ELASTIC_TORCH_DIR}" DIRECTORY)
target_link_options(elastic_torch INTERFACE
  "-Wl,-rpath,${ELASTIC_TORCH_DIR}/lib" "-Wl,-rpath,${ELASTIC_SITE}/nvidia/cu13/lib"
  "-Wl,--allow-shlib-undefined" "-Wl,--disable-new-dtags")
