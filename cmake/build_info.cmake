# elastic_add_build_info(<target> <source>): the commit a program is built from, looked up at every build and written to
# generated/build_commit.h only when it changed, so that a commit recompiles <source> alone. Without git the commit is
# the one `git archive` left in cmake/archive_commit.txt, else unknown.
#
# Run as a script (-DSOURCE=... -DHEADER=... -P) this file is that look-up.
if(CMAKE_SCRIPT_MODE_FILE)
  file(STRINGS "${SOURCE}/cmake/archive_commit.txt" commit LIMIT_COUNT 1)
  set(dirty "")
  if(commit MATCHES "Format")
    set(commit "")
    find_program(GIT git)
    if(GIT AND EXISTS "${SOURCE}/.git")
      execute_process(COMMAND "${GIT}" rev-parse HEAD WORKING_DIRECTORY "${SOURCE}" OUTPUT_VARIABLE commit
        OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
      execute_process(COMMAND "${GIT}" status --porcelain WORKING_DIRECTORY "${SOURCE}"
        OUTPUT_VARIABLE changes RESULT_VARIABLE failed ERROR_QUIET)
      if(NOT failed)
        if(changes STREQUAL "")
          set(dirty no)
        else()
          set(dirty yes)
        endif()
      endif()
    endif()
  endif()
  set(content "#define ELASTIC_COMMIT \"${commit}\"\n#define ELASTIC_DIRTY \"${dirty}\"\n")
  set(before "")
  if(EXISTS "${HEADER}")
    file(READ "${HEADER}" before)
  endif()
  if(NOT content STREQUAL before)
    file(WRITE "${HEADER}" "${content}")
  endif()
  return()
endif()

function(elastic_add_build_info target source)
  set(header "${CMAKE_BINARY_DIR}/generated/build_commit.h")
  add_custom_target(build_commit BYPRODUCTS "${header}" COMMENT ""
    COMMAND "${CMAKE_COMMAND}" "-DSOURCE=${CMAKE_SOURCE_DIR}" "-DHEADER=${header}" -P
            "${CMAKE_SOURCE_DIR}/cmake/build_info.cmake")
  add_dependencies(${target} build_commit)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
  set(flags "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${type}}")
  if(ELASTIC_SANITIZE OR ELASTIC_FUZZ)
    string(APPEND flags " -fsanitize=address,undefined")
  endif()
  string(STRIP "${flags}" flags)
  set_source_files_properties("${source}" PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON INCLUDE_DIRECTORIES
    "${CMAKE_BINARY_DIR}/generated" COMPILE_DEFINITIONS
    "ELASTIC_BUILD_TYPE=\"${CMAKE_BUILD_TYPE}\";ELASTIC_BUILD_FLAGS=\"${flags}\"")
endfunction()
