# elastic_add_fuzz(<library>...): every tests/fuzz/<name>_fuzz.cpp as a libFuzzer program <name>_fuzz (preset `fuzz`);
# target `fuzzers` builds them all.
function(elastic_add_fuzz)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/fuzz/*_fuzz.cpp")
  foreach(source IN LISTS sources)
    get_filename_component(name "${source}" NAME_WE)
    add_executable(${name} "${source}")
    target_link_libraries(${name} PRIVATE ${ARGN} fmt::fmt)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    list(APPEND names ${name})
  endforeach()
  add_custom_target(fuzzers DEPENDS ${names})
endfunction()
