# elastic_add_tests(<folder> [libraries...]): every tests/<folder>/**/*_test.cpp in one binary
# <folder>_tests, each test known to ctest as <folder>/<Suite>.<name>. Suites named Golden_* and Gpu_* belong to
# elastic_add_golden() and elastic_add_gpu() and are left out here. OpenMP threads wait asleep: tests run side by side,
# and threads that spin for each other on shared cores take several times as long.
include(GoogleTest)

# A ctest of a whole suite is "skipped" only where each of its tests is and none failed; without tests it fails.
set(elastic_suite_properties SKIP_REGULAR_EXPRESSION "PASSED  . 0 tests.\n(.  SKIPPED [^\n]*\n)+$"
  FAIL_REGULAR_EXPRESSION "Running 0 tests")

function(elastic_add_tests folder)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/${folder}/*_test.cpp")
  if(NOT sources)
    return()
  endif()
  add_executable(${folder}_tests ${sources})
  target_include_directories(${folder}_tests PRIVATE "${CMAKE_SOURCE_DIR}")
  target_compile_definitions(${folder}_tests PRIVATE
    ELASTIC_BENCH_BINARY="$<TARGET_FILE_DIR:${folder}_tests>/elastic-bench")
  target_compile_options(${folder}_tests PRIVATE ${ELASTIC_COLD_OPTIMISATION})
  target_link_libraries(${folder}_tests PRIVATE elastic_testing ${ARGN} GTest::gtest GTest::gtest_main)
  if(folder MATCHES "^(base|engine)$")  # engine: LibTorch's flags need a precompiled header of their own
    elastic_precompile(${folder}_tests tests/testing/precompiled.h)
  else()
    elastic_reuse_precompiled(${folder}_tests base_tests)
  endif()
  if(folder STREQUAL "tasks")  # the folder that users add to: small batches, quick to compile again
    set_target_properties(${folder}_tests PROPERTIES UNITY_BUILD_BATCH_SIZE 4)
  endif()
  gtest_discover_tests(${folder}_tests
    TEST_PREFIX "${folder}/" TEST_FILTER "-Golden_*:Gpu_*" DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60 PROPERTIES LABELS "${folder}" TIMEOUT 300 ENVIRONMENT "OMP_WAIT_POLICY=passive")
endfunction()

# elastic_add_golden(<name> <folder>): ctest `golden_<name>` runs suite Golden_<name> of <folder>_tests over
# the stored expectations in $ELASTIC_GOLDEN_DIR/<name>.
function(elastic_add_golden name folder)
  string(MAKE_C_IDENTIFIER "Golden_${name}" suite)
  add_test(NAME golden_${name} COMMAND ${folder}_tests "--gtest_filter=${suite}.*")
  set_tests_properties(golden_${name} PROPERTIES
    LABELS "golden" ${elastic_suite_properties} TIMEOUT 300 ENVIRONMENT "OMP_WAIT_POLICY=passive")
endfunction()

# elastic_add_gpu(<name> <folder>): ctest `gpu_<name>` runs suite Gpu_<name> of <folder>_tests; skipped, saying so, on a
# machine without a GPU.
function(elastic_add_gpu name folder)
  add_test(NAME gpu_${name} COMMAND ${folder}_tests "--gtest_filter=Gpu_${name}.*")
  set_tests_properties(gpu_${name} PROPERTIES LABELS "gpu" ${elastic_suite_properties} TIMEOUT 600)
endfunction()

# elastic_add_check(<name> <script>): a check of the sources themselves, known to ctest as house/<name>.
function(elastic_add_check name script)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  add_test(NAME house/${name} COMMAND Python3::Interpreter "${CMAKE_SOURCE_DIR}/scripts/${script}")
  set_tests_properties(house/${name} PROPERTIES LABELS house)
endfunction()
