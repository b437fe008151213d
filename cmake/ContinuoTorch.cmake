# Finds LibTorch >= 2.6: at Torch_DIR, where tools/bootstrap.sh puts it, or inside the pip package
# `torch` of the python3 on the path. Sets CONTINUO_HAVE_TORCH, Torch_VERSION and the target
# continuo_libtorch, and CONTINUO_HAVE_CUDA where it brings what a GPU takes; where there is none,
# says so.
#
# Not through LibTorch's TorchConfig.cmake: it ends the configuration where a LibTorch that knows
# CUDA (pip's, on x86) is without the CUDA toolkit and its compiler, of which headers and libraries
# have no need.
set(CONTINUO_HAVE_TORCH OFF)
set(CONTINUO_HAVE_CUDA OFF)
set(CONTINUO_HAVE_NCCL OFF)
if(CONTINUO_TRAIN STREQUAL "OFF" OR CONTINUO_SANITIZE)
  message(STATUS "continuo-train: not built (CONTINUO_TRAIN=${CONTINUO_TRAIN}, CONTINUO_SANITIZE=${CONTINUO_SANITIZE})")
  return()
endif()

if(NOT Torch_DIR)
  # find_spec does not import torch, which would take seconds.
  execute_process(
    COMMAND python3 -c "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
    OUTPUT_VARIABLE CONTINUO_PIP_TORCH OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  foreach(folder "$ENV{HOME}/.local/share/continuo/libtorch/torch" "${CONTINUO_PIP_TORCH}")
    if(EXISTS ${folder}/share/cmake/Torch)
      set(Torch_DIR ${folder}/share/cmake/Torch)
      break()
    endif()
  endforeach()
endif()
get_filename_component(torch_root "${Torch_DIR}/../../.." ABSOLUTE)
set(torch_libraries ${torch_root}/lib)

# Why a shared library can't be loaded, "" if it can; asked once a library.
function(continuo_try_load library problem)
  string(MAKE_C_IDENTIFIER "CONTINUO_LOADS_${library}" known)
  if(NOT DEFINED CACHE{${known}})
    execute_process(COMMAND python3 -c "import ctypes, sys
try:
    ctypes.CDLL(sys.argv[1])
except OSError as error:
    sys.exit(str(error))" ${library} RESULT_VARIABLE failed ERROR_VARIABLE output ERROR_STRIP_TRAILING_WHITESPACE)
    if(failed)
      set(${problem} "${output}" PARENT_SCOPE)
      return()
    endif()
    set(${known} TRUE CACHE INTERNAL "")
  endif()
  set(${problem} "" PARENT_SCOPE)
endfunction()

set(torch_problem "none was found")
if(Torch_DIR AND EXISTS ${Torch_DIR}/TorchConfigVersion.cmake AND EXISTS ${torch_libraries}/libtorch_cpu.so)
  file(STRINGS ${Torch_DIR}/TorchConfigVersion.cmake Torch_VERSION REGEX "set\\(PACKAGE_VERSION ")
  string(REGEX REPLACE ".*\"([0-9.]+).*" "\\1" Torch_VERSION "${Torch_VERSION}")
  # at::parallel_for is a loop of one thread, without a word, in files that are compiled without
  # OpenMP.
  find_package(OpenMP QUIET COMPONENTS CXX)
  if(Torch_VERSION VERSION_LESS 2.6)
    set(torch_problem "${Torch_DIR} has LibTorch ${Torch_VERSION}")
  elseif(NOT OpenMP_CXX_FOUND)
    set(torch_problem "the compiler has no OpenMP (clang's is in libomp-dev)")
  else()
    continuo_try_load(${torch_libraries}/libtorch_cpu.so torch_problem)
  endif()
elseif(Torch_DIR)
  set(torch_problem "there is none at ${Torch_DIR}")
endif()

if(torch_problem)
  if(CONTINUO_TRAIN STREQUAL "ON")
    message(FATAL_ERROR "CONTINUO_TRAIN=ON needs LibTorch >= 2.6: ${torch_problem}. Run tools/bootstrap.sh or set Torch_DIR.")
  endif()
  message(NOTICE "continuo-train: not built, it needs LibTorch >= 2.6: ${torch_problem}; everything but training is built. "
                 "To train, run tools/bootstrap.sh or set Torch_DIR.")
  return()
endif()
set(CONTINUO_HAVE_TORCH ON)
message(STATUS "continuo-train: LibTorch ${Torch_VERSION} at ${Torch_DIR}")
add_library(continuo_libtorch INTERFACE IMPORTED)
target_include_directories(continuo_libtorch INTERFACE ${torch_root}/include ${torch_root}/include/torch/csrc/api/include)
target_link_libraries(continuo_libtorch INTERFACE ${torch_libraries}/libtorch_cpu.so ${torch_libraries}/libc10.so)
# A wheel's program is linked with libtorch.so, which brings what the LibTorch that it meets has.
set(in_wheel $<BOOL:$<TARGET_PROPERTY:CONTINUO_FOR_WHEEL>>)
target_link_libraries(continuo_libtorch INTERFACE
  $<${in_wheel}:-Wl,--push-state,--no-as-needed,${torch_libraries}/libtorch.so,--pop-state>)

if(EXISTS ${torch_libraries}/libtorch_cuda.so)
  continuo_try_load(${torch_libraries}/libtorch_cuda.so cuda_problem)
  if(cuda_problem)
    message(STATUS "continuo-train: without CUDA: ${cuda_problem}")
  else()
    set(CONTINUO_HAVE_CUDA ON)
    # Nothing of ours calls it: being loaded is what makes its GPUs known.
    target_link_libraries(continuo_libtorch INTERFACE
      $<$<NOT:${in_wheel}>:-Wl,--push-state,--no-as-needed,${torch_libraries}/libtorch_cuda.so,--pop-state>)
  endif()
endif()

# NCCL and CUDA's runtime, of the pip packages that LibTorch came with or of the system.
if(CONTINUO_HAVE_CUDA)
  file(GLOB nvidia_folders ${torch_root}/../nvidia/nccl ${torch_root}/../nvidia/cu1* ${torch_root}/../nvidia/cuda_runtime)
  find_path(CUDART_INCLUDE_DIR cuda_runtime_api.h HINTS ${nvidia_folders} /usr/local/cuda PATH_SUFFIXES include)
  find_library(CUDART_LIBRARY NAMES libcudart.so.13 libcudart.so.12 cudart HINTS ${nvidia_folders} /usr/local/cuda
               PATH_SUFFIXES lib lib64)
  find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${nvidia_folders} PATH_SUFFIXES include)
  find_library(NCCL_LIBRARY NAMES libnccl.so.2 nccl HINTS ${nvidia_folders} PATH_SUFFIXES lib)
  if(CUDART_INCLUDE_DIR AND CUDART_LIBRARY AND NCCL_INCLUDE_DIR AND NCCL_LIBRARY)
    include(CheckCXXSourceCompiles)
    set(CMAKE_REQUIRED_INCLUDES ${CUDART_INCLUDE_DIR} ${NCCL_INCLUDE_DIR})
    set(CMAKE_REQUIRED_LIBRARIES ${CUDART_LIBRARY} ${NCCL_LIBRARY})
    check_cxx_source_compiles("#include <cuda_runtime_api.h>
                               #include <nccl.h>
                               int main() { return ncclGroupEnd() + cudaDeviceSynchronize(); }" CONTINUO_NCCL_COMPILES)
    set(CONTINUO_HAVE_NCCL ${CONTINUO_NCCL_COMPILES})
    unset(CMAKE_REQUIRED_INCLUDES)
    unset(CMAKE_REQUIRED_LIBRARIES)
  endif()
  if(NOT CONTINUO_HAVE_NCCL)
    message(STATUS "continuo-train: trains on one GPU, no NCCL or no headers of CUDA's runtime found")
  endif()
endif()
