# Finds what the Python extension is built with: Python 3.10 or newer with its headers, and
# nanobind 3 for it. Sets CONTINUO_HAVE_PYTHON. Looks in the environment that
# `tools/bootstrap.sh --python` makes, then for the python3 on the path; Python_EXECUTABLE names
# another.
set(CONTINUO_HAVE_PYTHON OFF)
set(sanitized OFF)
if(CONTINUO_SANITIZE OR CONTINUO_SANITIZE_THREADS)
  set(sanitized ON)  # such an extension loads only into a Python that was started for it
endif()
if(CONTINUO_PYTHON STREQUAL "OFF" OR (CONTINUO_PYTHON STREQUAL "AUTO" AND sanitized))
  return()
endif()

set(environment "$ENV{HOME}/.local/share/continuo/python/bin/python")
if(NOT Python_EXECUTABLE AND EXISTS ${environment})
  set(Python_EXECUTABLE ${environment} CACHE FILEPATH "the Python that the extension is built with")
endif()
find_package(Python 3.10 QUIET COMPONENTS Interpreter Development.Module)
set(python_problem "no Python 3.10 or newer with its headers was found")
if(Python_FOUND)
  execute_process(COMMAND ${Python_EXECUTABLE} -m nanobind --cmake_dir OUTPUT_VARIABLE nanobind_ROOT
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  set(python_problem "${Python_EXECUTABLE} has no nanobind 3")
  if(NOT failed)
    find_package(nanobind 3 CONFIG QUIET)
    if(nanobind_FOUND)
      set(CONTINUO_HAVE_PYTHON ON)
      message(STATUS "Python extension: Python ${Python_VERSION}, nanobind ${nanobind_VERSION}")
    endif()
  endif()
endif()
if(NOT CONTINUO_HAVE_PYTHON)
  set(level NOTICE)
  if(CONTINUO_PYTHON STREQUAL "ON")
    set(level FATAL_ERROR)
  endif()
  message(${level} "Python extension: not built: ${python_problem}; run tools/bootstrap.sh --python")
endif()
