# Finds LibTorch: at Torch_DIR, or inside the pip package `torch` of the python3 on the path.
# Sets CONTINUO_HAVE_TORCH; where there is none, says so.
set(CONTINUO_HAVE_TORCH OFF)
if(CONTINUO_TRAIN STREQUAL "OFF" OR CONTINUO_SANITIZE)
  message(STATUS "continuo-train: not built (CONTINUO_TRAIN=${CONTINUO_TRAIN}, CONTINUO_SANITIZE=${CONTINUO_SANITIZE})")
  return()
endif()

if(NOT Torch_DIR)
  # find_spec does not import torch, which would take seconds.
  execute_process(
    COMMAND python3 -c "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
    OUTPUT_VARIABLE CONTINUO_PIP_TORCH OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(CONTINUO_PIP_TORCH AND EXISTS ${CONTINUO_PIP_TORCH}/share/cmake/Torch)
    set(Torch_DIR ${CONTINUO_PIP_TORCH}/share/cmake/Torch)
  endif()
endif()

find_package(Torch QUIET)
if(Torch_FOUND)
  # at::parallel_for is a loop of one thread, without a word, in files that are compiled without OpenMP.
  find_package(OpenMP QUIET COMPONENTS CXX)
endif()
if(Torch_FOUND AND NOT OpenMP_CXX_FOUND)
  message(STATUS "continuo-train: the compiler has no OpenMP (clang's is in libomp-dev)")
elseif(Torch_FOUND AND Torch_VERSION VERSION_LESS 2.6)
  message(STATUS "continuo-train: LibTorch ${Torch_VERSION} is older than 2.6")
elseif(Torch_FOUND)
  set(CONTINUO_HAVE_TORCH ON)
  message(STATUS "continuo-train: LibTorch ${Torch_VERSION} at ${Torch_DIR}")
endif()
if(NOT CONTINUO_HAVE_TORCH)
  if(CONTINUO_TRAIN STREQUAL "ON")
    message(FATAL_ERROR "CONTINUO_TRAIN=ON, but no LibTorch >= 2.6, or no OpenMP, was found. Run tools/bootstrap.sh or set Torch_DIR.")
  endif()
  message(STATUS "continuo-train: not built, no LibTorch >= 2.6 and OpenMP found; everything but training is. "
                 "To train, run tools/bootstrap.sh or set Torch_DIR.")
endif()

# With a LibTorch for CUDA: NCCL, of the system or of the pip packages that LibTorch came with.
set(CONTINUO_HAVE_NCCL OFF)
if(CONTINUO_HAVE_TORCH AND TARGET torch_cuda)
  find_package(CUDAToolkit QUIET)
  file(GLOB nccl_folders ${Torch_DIR}/../../../../nvidia/nccl ${Torch_DIR}/../../../../nvidia/cu1*)
  find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${nccl_folders} PATH_SUFFIXES include)
  find_library(NCCL_LIBRARY NAMES nccl libnccl.so.2 HINTS ${nccl_folders} PATH_SUFFIXES lib)
  if(CUDAToolkit_FOUND AND NCCL_INCLUDE_DIR AND NCCL_LIBRARY)
    set(CONTINUO_HAVE_NCCL ON)
  else()
    message(STATUS "continuo-train: trains on one GPU, no CUDA toolkit or NCCL found")
  endif()
endif()
