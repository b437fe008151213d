# Compiles through ccache where it is installed: a rebuild from a fresh clone then takes seconds.
# What precompiled headers define counts for a file by the headers' contents.
find_program(CONTINUO_CCACHE ccache)
if(CONTINUO_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CONTINUO_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CONTINUO_CCACHE})
endif()
