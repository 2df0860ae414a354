# Language level, warnings, sanitizers, compiler cache. One place; targets inherit it.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

# Sources compiled in batches: a clean build in half the time. -DCMAKE_UNITY_BUILD=OFF to rebuild single files faster.
set(CMAKE_UNITY_BUILD ON CACHE BOOL "Compile the sources of a library in batches")
set(CMAKE_UNITY_BUILD_BATCH_SIZE 6)

# Designated initialisers leave members to their defaults on purpose.
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wnon-virtual-dtor;-Wno-missing-field-initializers>")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # A batch includes its sources: their unnamed namespaces look like a header's to the compiler.
  add_compile_options($<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${CMAKE_UNITY_BUILD}>>:-Wno-subobject-linkage>)
  add_compile_options($<$<AND:$<COMPILE_LANGUAGE:CXX>,$<NOT:$<CONFIG:Release>>>:-g1>)
endif()
# A fifth less compile time than -O3; the CPU kernels, the only hot loops of our own, ask for -O3 themselves.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(ELASTIC_COLD_OPTIMISATION -O1)  # of tests and commands: a quarter less compile time; nothing there is hot
if(ELASTIC_SANITIZE OR ELASTIC_FUZZ)  # little optimisation, no vptr check: a third of the compile time, the same findings
  if(NOT ELASTIC_FUZZ)
    set(ELASTIC_COLD_OPTIMISATION -O0)
  endif()
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:${ELASTIC_COLD_OPTIMISATION};-fsanitize=address,undefined;-fno-sanitize=vptr;-fno-sanitize-recover=undefined;-fno-omit-frame-pointer>")
  add_link_options(-fsanitize=address,undefined)
endif()
if(ELASTIC_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(ELASTIC_CCACHE ccache)
if(ELASTIC_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime CCACHE_NOHASHDIR=1
      "${ELASTIC_CCACHE}")
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
endif()
find_program(ELASTIC_LLD ld.lld)
if(ELASTIC_LLD)
  add_link_options(-fuse-ld=lld)
endif()

# LibTorch sources take about 0.5-1.5 GB each: memory is the limit before cores.
set_property(GLOBAL PROPERTY JOB_POOLS heavy=2)

# elastic_add_library(<target> <sources...>): a static library whose include root is the repository.
function(elastic_add_library target)
  if(NOT ARGN)  # a folder whose first source is still to come
    set(ARGN "${CMAKE_BINARY_DIR}/${target}.cpp")
    file(TOUCH "${ARGN}")
  endif()
  add_library(${target} STATIC ${ARGN})
  target_include_directories(${target} PUBLIC "${CMAKE_SOURCE_DIR}")
endfunction()

# elastic_precompile(<target> <header>): compiled once, read by every source of the target and of those that
# elastic_reuse_precompiled(<target> <owner>) names.
function(elastic_precompile target header)
  target_precompile_headers(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${CMAKE_SOURCE_DIR}/${header}>")
endfunction()
function(elastic_reuse_precompiled target owner)
  target_precompile_headers(${target} REUSE_FROM ${owner})
endfunction()
