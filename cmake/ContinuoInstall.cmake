# `cmake --install build --prefix P`: the programs, the library for find_package(continuo), and the
# model that ships.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(programs)
foreach(program continuo continuo-train continuo-torch continuo-render continuo-serve)
  if(TARGET ${program})
    list(APPEND programs ${program})
    # LibTorch lies outside the system's library folders.
    set_target_properties(${program} PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
  endif()
endforeach()
if(programs)
  install(TARGETS ${programs} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/models DESTINATION ${CMAKE_INSTALL_DATADIR}/continuo)

set(modules core os midi score token metrics corpus model engine/cpu compose)
list(TRANSFORM modules REPLACE "/" "_" OUTPUT_VARIABLE libraries)
list(TRANSFORM libraries PREPEND continuo_)
set_target_properties(continuo_c PROPERTIES EXPORT_NAME c)
install(TARGETS ${libraries} continuo_c EXPORT continuoTargets)
foreach(module IN LISTS modules)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/continuo/${module}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/continuo/${module}
          FILES_MATCHING PATTERN "*.h" PATTERN "*test*" EXCLUDE)
endforeach()
install(FILES ${CMAKE_SOURCE_DIR}/continuo/bindings/c/continuo.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/continuo/bindings/c)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/continuo)
install(EXPORT continuoTargets NAMESPACE continuo:: DESTINATION ${package_folder})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/continuoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_SOURCE_DIR}/cmake/continuoConfig.cmake ${CMAKE_BINARY_DIR}/continuoConfigVersion.cmake
        DESTINATION ${package_folder})
