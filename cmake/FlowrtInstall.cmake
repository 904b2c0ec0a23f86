# What is installed: header, libraries, pkg-config file, CMake package. Twice: for `make install`, and with Debian's library folder as
# component `debian`, of which packaging/ makes packages.
include(CMakePackageConfigHelpers)

set(flowrt_debian_x86_64 x86_64-linux-gnu)
set(flowrt_debian_aarch64 aarch64-linux-gnu)
set(flowrt_debian_armv7 arm-linux-gnueabihf)
set(flowrt_debian_riscv64 riscv64-linux-gnu)

# Below 1.0 a new minor version may change the interface.
set(flowrt_compatibility SameMajorVersion)
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(flowrt_compatibility SameMinorVersion)
endif()
write_basic_package_version_file("${PROJECT_BINARY_DIR}/flowrtConfigVersion.cmake" COMPATIBILITY ${flowrt_compatibility})
configure_file("${PROJECT_SOURCE_DIR}/cmake/flowrtConfigCpu.cmake.in" "${PROJECT_BINARY_DIR}/flowrtConfigCpu.cmake" @ONLY)
file(READ "${PROJECT_BINARY_DIR}/flowrtConfigCpu.cmake" flowrt_cpu_check)
file(APPEND "${PROJECT_BINARY_DIR}/flowrtConfigVersion.cmake" "${flowrt_cpu_check}")

# flowrt_install(<component> <libdir> <option>...): everything, as this component, with the libraries in <libdir>.
function(flowrt_install component libdir)
  set(rule COMPONENT ${component} ${ARGN})
  set(folder "${PROJECT_BINARY_DIR}/install/${component}") # of the files that name <libdir>
  set(package "${libdir}/cmake/flowrt")
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" ${rule}
          FILES_MATCHING PATTERN "*.h")
  install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/NOTICE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" ${rule})
  install(TARGETS ${flowrt_shared} flowrt_static EXPORT flowrtTargets-${component}
          LIBRARY DESTINATION "${libdir}" ${rule} NAMELINK_COMPONENT ${component} ARCHIVE DESTINATION "${libdir}" ${rule})

  # Paths in flowrt.pc are relative to the file, so that the installed tree can be moved, but for those that are given absolute.
  get_filename_component(full_libdir "${libdir}" ABSOLUTE BASE_DIR "${CMAKE_INSTALL_PREFIX}")
  file(RELATIVE_PATH flowrt_pc_prefix "${full_libdir}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
  string(REGEX REPLACE "/$" "" flowrt_pc_prefix "${flowrt_pc_prefix}")
  set(flowrt_pc_INCLUDEDIR "${CMAKE_INSTALL_INCLUDEDIR}")
  set(flowrt_pc_LIBDIR "${libdir}")
  foreach(dir INCLUDEDIR LIBDIR)
    if(NOT IS_ABSOLUTE "${flowrt_pc_${dir}}")
      set(flowrt_pc_${dir} "\${prefix}/${flowrt_pc_${dir}}")
    endif()
  endforeach()
  configure_file("${PROJECT_SOURCE_DIR}/cmake/flowrt.pc.in" "${folder}/flowrt.pc" @ONLY)
  install(FILES "${folder}/flowrt.pc" DESTINATION "${libdir}/pkgconfig" ${rule})

  configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/flowrtConfig.cmake.in" "${folder}/flowrtConfig.cmake"
                                INSTALL_DESTINATION "${package}")
  install(EXPORT flowrtTargets-${component} NAMESPACE flowrt:: FILE flowrtTargets.cmake DESTINATION "${package}" ${rule})
  install(FILES "${folder}/flowrtConfig.cmake" "${PROJECT_BINARY_DIR}/flowrtConfigVersion.cmake"
                "${PROJECT_SOURCE_DIR}/cmake/FlowrtModel.cmake" "${PROJECT_SOURCE_DIR}/cmake/FlowrtModelSource.cmake"
          DESTINATION "${package}" ${rule})
endfunction()

flowrt_install(flowrt "${CMAKE_INSTALL_LIBDIR}")
flowrt_install(debian "lib/${flowrt_debian_${FLOWRT_CPU}}" EXCLUDE_FROM_ALL)
if(FLOWRT_BUILD_TOOLS)
  install(TARGETS flowrt_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT tools)
  install(FILES "${PROJECT_SOURCE_DIR}/docs/flowrt.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT tools)
endif()
