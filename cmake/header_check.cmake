# Target `header_check`: one generated source per header that includes it and nothing else, so that every
# header is proven to stand alone; but for those that a source of the same name includes first, which proves it
# wherever that source is compiled by itself (CI's build without precompiled headers). Not part of `all`.
function(elastic_add_header_check)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}"
    "${CMAKE_SOURCE_DIR}/base/*.h" "${CMAKE_SOURCE_DIR}/datasets/*.h" "${CMAKE_SOURCE_DIR}/engine/*.h"
    "${CMAKE_SOURCE_DIR}/harness/*.h" "${CMAKE_SOURCE_DIR}/reports/*.h" "${CMAKE_SOURCE_DIR}/tasks/*.h"
    "${CMAKE_SOURCE_DIR}/runs/*.h" "${CMAKE_SOURCE_DIR}/tests/*.h")
  if(NOT ELASTIC_ENGINE)
    list(FILTER headers EXCLUDE REGEX "^engine/(attention|device|model|router|generate|distributed|train|io/checkpoint)|^engine/precompiled|^tests/")
  endif()
  list(FILTER headers EXCLUDE REGEX "^engine/cuda/")
  foreach(header IN LISTS headers)
    string(REGEX REPLACE "h$" "cpp" own_source "${CMAKE_SOURCE_DIR}/${header}")
    if(EXISTS "${own_source}")
      file(STRINGS "${own_source}" first_include REGEX "^#include" LIMIT_COUNT 1)
      if(first_include STREQUAL "#include \"${header}\"")
        continue()
      endif()
    endif()
    string(MAKE_C_IDENTIFIER "${header}" name)
    set(source "${CMAKE_BINARY_DIR}/header_check/${name}.cpp")
    file(CONFIGURE OUTPUT "${source}" CONTENT "#include \"${header}\"\n")
    list(APPEND sources "${source}")
  endforeach()
  add_library(header_check OBJECT EXCLUDE_FROM_ALL ${sources})
  set_target_properties(header_check PROPERTIES UNITY_BUILD OFF)
  # Headers of tests use the paths that cmake/add_tests.cmake defines.
  target_compile_definitions(header_check PRIVATE ELASTIC_BENCH_BINARY="")
  target_compile_options(header_check PRIVATE -fsyntax-only -w)  # only whether it compiles
  target_link_libraries(header_check PRIVATE elastic_commands elastic_testing fmt::fmt CURL::libcurl PkgConfig::libzip
    simdjson::simdjson $<TARGET_NAME_IF_EXISTS:elastic_torch>)
endfunction()
