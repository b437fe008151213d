# continuo_install_wheel(EXTENSION PROGRAM...): what a wheel contains beside the package's Python
# files, installed relative to the package's folder. The programs find the models and the studio's
# page where an installation has them: in ../share/continuo.
function(continuo_install_wheel extension)
  install(PROGRAMS ${extension} DESTINATION . COMPONENT python)
  install(PROGRAMS ${ARGN} DESTINATION bin COMPONENT python)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/models DESTINATION share/continuo COMPONENT python)
  install(FILES ${CMAKE_SOURCE_DIR}/web/studio/dist/studio.html DESTINATION share/continuo COMPONENT python
          RENAME studio-page.html)
endfunction()

# continuo_wheel_programs(OUT): the targets of the programs that a wheel contains, of those that are
# built. LibTorch's interface changes from release to release, so that continuo-train is one of them
# where it is built with the release that pyproject.toml asks for.
function(continuo_wheel_programs out)
  set(programs continuo)
  foreach(program continuo-serve continuo-render)
    if(TARGET ${program})
      list(APPEND programs ${program})
    endif()
  endforeach()
  if(TARGET continuo-train-wheel)
    file(STRINGS ${CMAKE_SOURCE_DIR}/pyproject.toml line REGEX "^train = ")
    if(NOT line MATCHES "\"torch==([0-9.]+)\\.\\*\"")
      message(FATAL_ERROR "pyproject.toml: expected torch==RELEASE.* in: ${line}")
    endif()
    string(FIND "${Torch_VERSION}." "${CMAKE_MATCH_1}." place)
    if(place EQUAL 0)
      list(APPEND programs continuo-train-wheel)
    else()
      message(NOTICE "Python wheel: without continuo-train: it takes LibTorch ${CMAKE_MATCH_1}, and ${Torch_VERSION} is here")
    endif()
  endif()
  set(${out} ${programs} PARENT_SCOPE)
endfunction()

# continuo_add_wheel(): the target `wheel`, which packs the extension and the program of this build
# in the folder wheel/. It is left out where scikit-build-core and auditwheel are not there.
function(continuo_add_wheel)
  set(tools "$ENV{HOME}/.local/share/continuo/python/bin")
  if(NOT EXISTS ${tools}/auditwheel)
    message(NOTICE "Python wheel: not built: ${tools} has no auditwheel; run tools/bootstrap.sh --python")
    return()
  endif()
  set(package ${CMAKE_SOURCE_DIR}/continuo/bindings/python/continuo)
  file(GLOB files CONFIGURE_DEPENDS ${package}/*.py ${package}/*.pyi)
  continuo_wheel_programs(programs)
  add_custom_command(
    OUTPUT ${CMAKE_BINARY_DIR}/wheel/stamp
    COMMAND ${CMAKE_SOURCE_DIR}/tools/wheel.sh ${CMAKE_BINARY_DIR} ${CMAKE_BINARY_DIR}/wheel
    COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/wheel/stamp
    DEPENDS continuo_python ${programs} ${files} ${CMAKE_SOURCE_DIR}/pyproject.toml ${CMAKE_SOURCE_DIR}/README.md
            ${CMAKE_SOURCE_DIR}/tools/wheel.sh ${CMAKE_SOURCE_DIR}/web/studio/dist/studio.html
    VERBATIM)
  add_custom_target(wheel ALL DEPENDS ${CMAKE_BINARY_DIR}/wheel/stamp)
endfunction()
