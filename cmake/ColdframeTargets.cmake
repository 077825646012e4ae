# SPDX-License-Identifier: Apache-2.0
# How every target is made: warnings, hardening and the helpers coldframe_library / coldframe_test.

option(COLDFRAME_TESTS "Build the tests" ON)
option(COLDFRAME_FUZZ "Build libFuzzer targets (clang only)" OFF)
set(COLDFRAME_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined or thread")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM AND NOT COLDFRAME_FUZZ)
  add_link_options(-fuse-ld=mold)
endif()

add_library(coldframe_flags INTERFACE)
target_compile_options(coldframe_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Werror
  -fvisibility=hidden -fno-strict-aliasing)
# GCC 12 warns wrongly inside coroutine frames and std::string copies at -O2.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(coldframe_flags INTERFACE
    -Wno-error=restrict -Wno-error=maybe-uninitialized -Wno-error=stringop-overflow
    -Wno-error=array-bounds -Wno-error=dangling-pointer -Wno-error=mismatched-new-delete
    -Wno-error=free-nonheap-object)
endif()
target_compile_options(coldframe_flags INTERFACE
  $<$<CONFIG:Release>:-fstack-protector-strong -D_FORTIFY_SOURCE=2 -fcf-protection -fstack-clash-protection>)
target_link_options(coldframe_flags INTERFACE
  $<$<CONFIG:Release>:-Wl,-z,relro,-z,now>)
if(COLDFRAME_SANITIZE)
  target_compile_options(coldframe_flags INTERFACE -fsanitize=${COLDFRAME_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(coldframe_flags INTERFACE -fsanitize=${COLDFRAME_SANITIZE})
endif()

# coldframe_library(<name> [QT] DEPS <targets…>): a static library from the *.cpp beside the
# CMakeLists.txt, included as "<folder>/<header>" from core/ (or "ui/…", "guest/…" from the top).
function(coldframe_library name)
  cmake_parse_arguments(ARG "QT" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp" "${CMAKE_CURRENT_SOURCE_DIR}/*.h")
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} PUBLIC "${PROJECT_SOURCE_DIR}/core" "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE coldframe_flags)
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  if(ARG_QT)
    set_target_properties(${name} PROPERTIES AUTOMOC ON AUTORCC ON)
  endif()
endfunction()

# coldframe_test(<name> LABEL <unit|gui|…> [TIMEOUT <s>] SOURCES … DEPS …): one Qt Test executable.
function(coldframe_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  if(COLDFRAME_SANITIZE) # several times slower
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 5")
  endif()
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES AUTOMOC ON
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} Qt6::Test coldframe_flags)
  if(Qt6_VERSION VERSION_GREATER_EQUAL 6.5) # its QTRY macros narrow numbers themselves
    target_compile_options(${name} PRIVATE -Wno-error=conversion)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "QT_QPA_PLATFORM=offscreen")
endfunction()

# coldframe_fuzz(<name> SOURCES <file with LLVMFuzzerTestOneInput> DEPS …): with COLDFRAME_FUZZ a libFuzzer target;
# otherwise a smoke test (label fuzz-smoke) that runs the corpus in ./corpus-<name> and fixed mutations of it.
function(coldframe_fuzz name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  set(corpus "${CMAKE_CURRENT_SOURCE_DIR}/corpus-${name}")
  if(COLDFRAME_FUZZ)
    add_executable(${name} ${ARG_SOURCES})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${ARG_SOURCES} "${PROJECT_SOURCE_DIR}/tests/fuzz/smoke_main.cpp")
    add_test(NAME ${name} COMMAND ${name} "${corpus}")
    set_tests_properties(${name} PROPERTIES LABELS fuzz-smoke TIMEOUT 120)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} coldframe_flags)
endfunction()
