# The library for WebAssembly, compiled by Emscripten. Of most other libraries it needs only
# headers, taken from Debian's packages through a folder of links: the rest of /usr/include belongs
# to the machine that compiles. Two are compiled from Debian's sources, which
# tools/bootstrap.sh --wasm puts in CONTINUO_WASM_SOURCES.
set(headers ${CMAKE_BINARY_DIR}/headers)
file(MAKE_DIRECTORY ${headers})
foreach(library fmt nlohmann hwy)
  if(NOT EXISTS /usr/include/${library})
    message(FATAL_ERROR "/usr/include/${library} is missing: run tools/bootstrap.sh")
  endif()
  file(CREATE_LINK /usr/include/${library} ${headers}/${library} SYMBOLIC)
endforeach()

set(CMAKE_POSITION_INDEPENDENT_CODE OFF)

# Four lanes of 32 bits, in all browsers since 2023. What the standard library lacks comes first.
add_compile_options(-msimd128)
include_directories(BEFORE ${CMAKE_SOURCE_DIR}/cmake/wasm/include)
include_directories(SYSTEM ${headers})
# Emscripten is a program for node, whose libraries only Debian's node finds by itself.
set_property(GLOBAL PROPERTY RULE_LAUNCH_LINK "${CMAKE_COMMAND} -E env NODE_PATH=/usr/share/nodejs")

add_library(Threads::Threads INTERFACE IMPORTED)  # one thread
add_library(continuo_fmt STATIC ${CMAKE_SOURCE_DIR}/cmake/wasm/fmt.cc)
add_library(fmt::fmt ALIAS continuo_fmt)
add_library(nlohmann_json::nlohmann_json INTERFACE IMPORTED)
add_library(continuo_highway STATIC ${CMAKE_SOURCE_DIR}/cmake/wasm/highway.cc)
add_library(PkgConfig::HWY ALIAS continuo_highway)

set(CONTINUO_WASM_SOURCES $ENV{HOME}/.local/share/continuo/sources CACHE PATH "Sources of pugixml and zlib")
set(pugixml ${CONTINUO_WASM_SOURCES}/pugixml/src)
set(zlib ${CONTINUO_WASM_SOURCES}/zlib)
foreach(file ${pugixml}/pugixml.cpp ${zlib}/inflate.c)
  if(NOT EXISTS ${file})
    message(FATAL_ERROR "${file} is missing: run tools/bootstrap.sh --wasm")
  endif()
endforeach()
add_library(continuo_pugixml STATIC ${pugixml}/pugixml.cpp)
target_include_directories(continuo_pugixml SYSTEM PUBLIC ${pugixml})
add_library(PkgConfig::PUGIXML ALIAS continuo_pugixml)
# What unpacks, and what packs, which only tests use.
add_library(continuo_zlib STATIC ${zlib}/adler32.c ${zlib}/crc32.c ${zlib}/deflate.c ${zlib}/inffast.c ${zlib}/inflate.c
                                 ${zlib}/inftrees.c ${zlib}/trees.c ${zlib}/zutil.c)
target_include_directories(continuo_zlib SYSTEM PUBLIC ${zlib})
add_library(ZLIB::ZLIB ALIAS continuo_zlib)

# GoogleTest is compiled from Debian's package of its source.
if(CONTINUO_TESTS)
  set(googletest /usr/src/googletest)
  if(NOT EXISTS ${googletest})
    message(FATAL_ERROR "${googletest} is missing: run tools/bootstrap.sh")
  endif()
  add_library(continuo_gtest STATIC ${googletest}/googletest/src/gtest-all.cc ${googletest}/googlemock/src/gmock-all.cc)
  target_include_directories(continuo_gtest SYSTEM PUBLIC ${googletest}/googletest/include ${googletest}/googlemock/include
                             PRIVATE ${googletest}/googletest ${googletest}/googlemock)
  target_compile_definitions(continuo_gtest PUBLIC GTEST_HAS_PTHREAD=0)
  target_compile_options(continuo_gtest PRIVATE -O0)
  add_library(continuo_gtest_main STATIC ${googletest}/googletest/src/gtest_main.cc)
  target_link_libraries(continuo_gtest_main PUBLIC continuo_gtest)
  add_library(GTest::gtest ALIAS continuo_gtest)
  add_library(GTest::gmock ALIAS continuo_gtest)
  add_library(GTest::gtest_main ALIAS continuo_gtest_main)
endif()

# continuo_wasm_test(TARGET): a test program for node, with the machine's files. Left out are tests
# that start threads, and those of fifos and of what other users may read, which node's files lack.
function(continuo_wasm_test target)
  target_link_options(${target} PRIVATE -sNODERAWFS=1 -sWASM_ASYNC_COMPILATION=0 -sALLOW_MEMORY_GROWTH=1
                                            -sEXIT_RUNTIME=1 -O1)
  add_test(NAME ${target} COMMAND node $<TARGET_FILE:${target}> --gtest_brief=1
           --gtest_filter=-ThreadPool.*:*Fifo*:*CannotBeRead*)
endfunction()
