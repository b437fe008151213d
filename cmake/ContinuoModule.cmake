# continuo_layers(NAME DIRECT ASIDE): the modules that tools/layers.txt lists for a module, and
# those in parentheses, as targets.
function(continuo_layers name direct aside)
  file(STRINGS ${CMAKE_SOURCE_DIR}/tools/layers.txt line REGEX "^${name}:")
  if(NOT line)
    message(FATAL_ERROR "tools/layers.txt has no line for the module ${name}")
  endif()
  string(REGEX REPLACE "^[^:]*:([^()]*).*" "\\1" listed "${line}")
  string(REGEX MATCH "\\([^()]*\\)" in_parentheses "${line}")
  string(REGEX MATCHALL "[a-z_/]+" listed "${listed}")
  string(REGEX MATCHALL "[a-z_/]+" in_parentheses "${in_parentheses}")
  foreach(part listed in_parentheses)
    list(TRANSFORM ${part} REPLACE "/" "_")
    list(TRANSFORM ${part} PREPEND continuo_)
  endforeach()
  set(${direct} ${listed} PARENT_SCOPE)
  set(${aside} ${in_parentheses} PARENT_SCOPE)
endfunction()

# continuo_module(NAME [LIGHT] [TOGETHER] [TESTS_WITHOUT_ASIDE] [WITHOUT sources...] [LIBS
# targets...] [TEST_ENVIRONMENT NAME=value...])
#
# Makes the library continuo_NAME from the .cc files of the current folder, and the test program
# NAME_test from its *_test.cc, which ctest runs in the environment named (one variable). A module's
# name is its folder's; in the names of targets / becomes _. The library links the modules that
# tools/layers.txt lists; the test also those in parentheses there, as far as they are built, unless
# TESTS_WITHOUT_ASIDE says that only programs need them. LIBS are other targets.
#
# LIGHT optimises little (-O1): for modules that do no work of their own, most of whose compile time
# goes into headers. Tests are always compiled so. TOGETHER compiles eight sources as one, as
# continuo_compile_together says.
function(continuo_module name)
  cmake_parse_arguments(ARG "LIGHT;TOGETHER;TESTS_WITHOUT_ASIDE" "" "WITHOUT;LIBS;TEST_ENVIRONMENT" ${ARGN})
  continuo_layers(${name} direct aside)
  string(REPLACE "/" "_" name ${name})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  list(TRANSFORM ARG_WITHOUT PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  list(REMOVE_ITEM sources "" ${ARG_WITHOUT})
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_main\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")

  set(target continuo_${name})
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}> $<INSTALL_INTERFACE:include>)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  continuo_compile_options(${target})
  target_link_libraries(${target} PUBLIC ${direct} ${ARG_LIBS})
  if(ARG_LIGHT)
    continuo_compile_light(${target})
    if(CONTINUO_SANITIZE)
      target_compile_options(${target} PRIVATE -O0)  # the checks take longest to optimise
    endif()
  endif()
  if(ARG_TOGETHER)
    continuo_compile_together(${target})
  else()
    continuo_precompile(${target})
  endif()

  if(CONTINUO_TESTS AND tests)
    add_executable(${name}_test ${tests})
    continuo_compile_options(${name}_test)
    continuo_compile_light(${name}_test)
    if(ARG_LIGHT AND CONTINUO_SANITIZE)
      target_compile_options(${name}_test PRIVATE -O0)
    endif()
    target_link_libraries(${name}_test PRIVATE ${target} GTest::gmock GTest::gtest GTest::gtest_main)
    foreach(dep IN LISTS aside)
      if(TARGET ${dep} AND NOT ARG_TESTS_WITHOUT_ASIDE)
        target_link_libraries(${name}_test PRIVATE ${dep})
      endif()
    endforeach()
    target_compile_definitions(${name}_test PRIVATE CONTINUO_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                                    CONTINUO_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
    if(EMSCRIPTEN)
      continuo_wasm_test(${name}_test)
      return()
    endif()
    include(GoogleTest)
    set(properties TIMEOUT 900)
    if(ARG_TEST_ENVIRONMENT)
      list(APPEND properties ENVIRONMENT ${ARG_TEST_ENVIRONMENT})
    endif()
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES
                         PROPERTIES ${properties})
  endif()
endfunction()

# Takes back most of an optimised build's optimisation.
function(continuo_compile_light target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release,RelWithDebInfo>:-O1>)
endfunction()

# Compiles eight sources as one: the inline functions of large headers (CLI11's, nlohmann/json's,
# ATen's), which take most of the time, are then compiled once for all of them. Names in unnamed
# namespaces have to differ within the target. CMAKE_UNITY_BUILD=OFF compiles each by itself.
function(continuo_compile_together target)
  if(DEFINED CMAKE_UNITY_BUILD AND NOT CMAKE_UNITY_BUILD)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
endfunction()

# Parses the headers that most sources of any target include once.
function(continuo_precompile target)
  if(EMSCRIPTEN)
    return()  # few sources, most of whose time is optimisation
  endif()
  target_precompile_headers(${target} PRIVATE <fmt/format.h> <algorithm> <filesystem> <functional> <map> <memory>
                            <optional> <string> <vector>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fpch-preprocess)  # without it ccache leaves these files alone
  endif()
endfunction()

# Warnings and sanitizers, the same for every target of ours.
function(continuo_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wcast-align)
  if(CONTINUO_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(CONTINUO_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      target_compile_options(${target} PUBLIC -fsanitize=fuzzer-no-link)
    endif()
  endif()
  if(CONTINUO_SANITIZE_THREADS)
    target_compile_options(${target} PUBLIC -fsanitize=thread)
    target_link_options(${target} PUBLIC -fsanitize=thread)
  endif()
endfunction()
