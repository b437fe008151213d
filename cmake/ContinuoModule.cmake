# continuo_module(NAME [DEPS modules...] [LIBS targets...] [TEST_DEPS modules...])
#
# Makes the library continuo_NAME from the .cc files of the current folder, and the test program
# NAME_test from its *_test.cc. DEPS are modules, written by their folder's name; LIBS are other targets.
function(continuo_module name)
  cmake_parse_arguments(ARG "" "" "DEPS;LIBS;TEST_DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_main\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")

  if(NOT sources)
    return()  # BOOTSTRAP
  endif()
  set(target continuo_${name})
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  continuo_compile_options(${target})
  foreach(dep IN LISTS ARG_DEPS)
    target_link_libraries(${target} PUBLIC continuo_${dep})
  endforeach()
  target_link_libraries(${target} PUBLIC ${ARG_LIBS})

  if(CONTINUO_TESTS AND tests)
    add_executable(${name}_test ${tests})
    continuo_compile_options(${name}_test)
    target_link_libraries(${name}_test PRIVATE ${target} GTest::gmock GTest::gtest GTest::gtest_main)
    foreach(dep IN LISTS ARG_TEST_DEPS)
      target_link_libraries(${name}_test PRIVATE continuo_${dep})
    endforeach()
    target_compile_definitions(${name}_test PRIVATE CONTINUO_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                                    CONTINUO_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
    include(GoogleTest)
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 900)
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
  endif()
endfunction()
