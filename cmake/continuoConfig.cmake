# find_package(continuo): continuo::compose is the library's front, continuo::c its C interface;
# each module of it is a target too.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(fmt)
find_dependency(nlohmann_json)
find_dependency(PkgConfig)
if(NOT TARGET PkgConfig::HWY)
  pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)
endif()
include(${CMAKE_CURRENT_LIST_DIR}/continuoTargets.cmake)
