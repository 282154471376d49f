# SPDX-License-Identifier: Apache-2.0
# How every target of the project is made. The rule that matters: a file says
# #include "folder/part/file.h" and the compiler sees only the folders that the target's own folder
# may use, because each folder is offered through an include root of its own
# (build/<preset>/roots/<folder>/<folder> -> source). A forbidden include is a file that is not there.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

set(SLUICE_SANITIZE "" CACHE STRING "value for -fsanitize=, empty for none")
option(SLUICE_WERROR "warnings are errors" OFF)
option(SLUICE_FUZZ "build the fuzz targets (needs clang)" OFF)
set(SLUICE_FUZZ_SECONDS 20 CACHE STRING "how long ctest runs each fuzz target")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# Several times faster than the default one on binaries with sanitizers.
find_program(LLD ld.lld)
if(LLD)
  add_link_options(-fuse-ld=lld)
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(GTest REQUIRED)
pkg_check_modules(LIBBPF REQUIRED IMPORTED_TARGET libbpf)

add_library(sluice_options INTERFACE)
target_compile_options(sluice_options INTERFACE -Wall -Wextra -Wshadow -Wno-missing-field-initializers
  $<$<BOOL:${SLUICE_WERROR}>:-Werror>)
if(SLUICE_SANITIZE)
  target_compile_options(sluice_options INTERFACE -fsanitize=${SLUICE_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(sluice_options INTERFACE -fsanitize=${SLUICE_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)  # clang 14 cannot emit this check's prologue for a coroutine
    target_compile_options(sluice_options INTERFACE -fno-sanitize=function)
  endif()
endif()
if(SLUICE_FUZZ)
  target_compile_options(sluice_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# The arrows between the folders (docs/architecture.md). "testbed" may include all.
set(SLUICE_MAY_INCLUDE_tunnels tunnels)
set(SLUICE_MAY_INCLUDE_inspect tunnels inspect)
set(SLUICE_MAY_INCLUDE_gateway tunnels gateway)
set(SLUICE_MAY_INCLUDE_appliances tunnels inspect appliances)
set(SLUICE_MAY_INCLUDE_testbed tunnels inspect gateway appliances testbed)

foreach(folder tunnels inspect gateway appliances testbed)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/roots/${folder})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${folder} ${CMAKE_BINARY_DIR}/roots/${folder}/${folder} SYMBOLIC)
  set(SLUICE_INCLUDES_${folder})
endforeach()
foreach(folder tunnels inspect gateway appliances testbed)
  foreach(root ${SLUICE_MAY_INCLUDE_${folder}})
    list(APPEND SLUICE_INCLUDES_${folder} ${CMAKE_BINARY_DIR}/roots/${root})
  endforeach()
  # For include_arrows_test.py.
  list(JOIN SLUICE_INCLUDES_${folder} "\n" lines)
  file(WRITE ${CMAKE_BINARY_DIR}/roots/${folder}.includes "${lines}\n")
endforeach()

# The top-level folder that the current CMakeLists.txt belongs to.
macro(sluice_folder out)
  file(RELATIVE_PATH _path ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  string(REGEX REPLACE "/.*" "" ${out} "${_path}")
endmacro()

function(_sluice_target name)
  sluice_folder(folder)
  target_include_directories(${name} PRIVATE ${SLUICE_INCLUDES_${folder}})
  target_link_libraries(${name} PRIVATE sluice_options)
endfunction()

# sluice_library(NAME SOURCES a.cc b.cc DEPENDS x y)
function(sluice_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  _sluice_target(${name})
  target_link_libraries(${name} PUBLIC ${ARG_DEPENDS})
endfunction()

# sluice_program(NAME SOURCES main.cc DEPENDS x). `ninja programs` builds them all and no tests.
add_custom_target(programs)
function(sluice_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  _sluice_target(${name})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} Threads::Threads)
  add_dependencies(programs ${name})
endfunction()

# jemalloc for a program that makes and frees records with every packet. Not with sanitizers, which watch the heap
# themselves.
function(sluice_jemalloc name)
  if(NOT SLUICE_SANITIZE)
    find_library(JEMALLOC_LIBRARY jemalloc REQUIRED)
    target_link_libraries(${name} PRIVATE ${JEMALLOC_LIBRARY})
    target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/jemalloc_settings.c)
  endif()
endfunction()

# sluice_test(NAME [LABEL unit] SOURCES a_test.cc DEPENDS x): one GoogleTest program, one ctest entry.
# Labels: unit golden netns bench. A test that cannot run here prints SKIP and exits 77, or uses GTEST_SKIP.
function(sluice_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;DEPENDS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  _sluice_target(${name})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} sluice_test_main GTest::gtest Threads::Threads)
  target_compile_definitions(${name} PRIVATE SLUICE_SOURCE_DIR="${CMAKE_SOURCE_DIR}" SLUICE_BINARY_DIR="${CMAKE_BINARY_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE 77)
endfunction()

# sluice_script_test(NAME LABEL netns COMMAND ...): a script as a test; exit 77 is SKIP.
function(sluice_script_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "COMMAND" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_test(NAME ${name} COMMAND ${ARG_COMMAND})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE 77
    ENVIRONMENT "SLUICE_BIN=${CMAKE_BINARY_DIR}/bin;SLUICE_SOURCE_DIR=${CMAKE_SOURCE_DIR}")
  if(ARG_LABEL STREQUAL netns)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
endfunction()

# sluice_fuzz(NAME SOURCES a_fuzz.cc DEPENDS x CORPUS dir): a libFuzzer program (preset fuzz).
# `ninja fuzzers` builds them all; `./dev test` runs each for 20 s from the committed corpus.
add_custom_target(fuzzers)
set_property(GLOBAL PROPERTY SLUICE_FUZZERS "")
function(sluice_fuzz name)
  if(NOT SLUICE_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  _sluice_target(${name})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} Threads::Threads)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzzers ${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  set(found ${CMAKE_BINARY_DIR}/fuzz/${name}.found)
  file(MAKE_DIRECTORY ${found})
  add_test(NAME ${name} COMMAND ${name} -max_total_time=${SLUICE_FUZZ_SECONDS} -timeout=5 -rss_limit_mb=2048
    -print_final_stats=1 ${found} ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_CORPUS})
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()

# sluice_bpf(NAME SOURCE x.bpf.c HEADER folder/part/x.skel.h): compiles restricted C for the kernel and
# wraps the object as a libbpf skeleton that targets linking NAME can include.
function(sluice_bpf name)
  cmake_parse_arguments(ARG "" "SOURCE;HEADER" "" ${ARGN})
  find_program(BPF_CLANG NAMES clang REQUIRED)
  find_program(BPFTOOL bpftool PATHS /usr/sbin REQUIRED)
  sluice_folder(folder)
  set(includes)
  foreach(root ${SLUICE_INCLUDES_${folder}})
    list(APPEND includes -I${root})
  endforeach()
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/generated/${ARG_HEADER})
  get_filename_component(skeleton_folder ${skeleton} DIRECTORY)
  file(MAKE_DIRECTORY ${skeleton_folder})
  add_custom_command(OUTPUT ${object}
    COMMAND ${BPF_CLANG} -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror ${includes}
      -I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -MD -MT ${object} -MF ${object}.d
      -c ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SOURCE} -o ${object}
    DEPENDS ${ARG_SOURCE} DEPFILE ${object}.d)
  add_custom_command(OUTPUT ${skeleton}
    COMMAND ${BPFTOOL} gen skeleton ${object} name ${name} > ${skeleton}
    DEPENDS ${object})
  add_custom_target(${name}_skeleton DEPENDS ${skeleton})
  add_library(${name} INTERFACE)
  add_dependencies(${name} ${name}_skeleton)
  target_include_directories(${name} SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR}/generated)
endfunction()
