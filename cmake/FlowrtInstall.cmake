# Header, libraries, pkg-config file, CMake package and a Debian package (cpack -G DEB).
include(CMakePackageConfigHelpers)

install(FILES "${PROJECT_SOURCE_DIR}/include/flowrt.h" TYPE INCLUDE)
install(TARGETS flowrt flowrt_static EXPORT flowrtTargets
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
if(FLOWRT_BUILD_TOOLS)
  install(TARGETS flowrt_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT tools)
  install(FILES "${PROJECT_SOURCE_DIR}/Sources/flowrt-cli/flowrt.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1"
          COMPONENT tools)
endif()
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/NOTICE" TYPE DOC)

# Paths in flowrt.pc are relative to the file, so that the installed tree can be moved, but for those that are given absolute.
file(RELATIVE_PATH flowrt_pc_prefix
     "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" flowrt_pc_prefix "${flowrt_pc_prefix}")
foreach(dir INCLUDEDIR LIBDIR)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${dir}}")
    set(flowrt_pc_${dir} "${CMAKE_INSTALL_${dir}}")
  else()
    set(flowrt_pc_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
  endif()
endforeach()
configure_file("${PROJECT_SOURCE_DIR}/cmake/flowrt.pc.in" "${PROJECT_BINARY_DIR}/flowrt.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/flowrt.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

set(flowrt_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/flowrt")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/flowrtConfigVersion.cmake" COMPATIBILITY SameMajorVersion)
install(EXPORT flowrtTargets NAMESPACE flowrt:: FILE flowrtConfig.cmake DESTINATION "${flowrt_package_dir}")
install(FILES "${PROJECT_BINARY_DIR}/flowrtConfigVersion.cmake" DESTINATION "${flowrt_package_dir}")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "flowrt maintainers")
set(CPACK_PACKAGE_NAME flowrt)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(flowrt_debian_x86_64 amd64)
set(flowrt_debian_aarch64 arm64)
set(flowrt_debian_armv7 armhf)
set(flowrt_debian_riscv64 riscv64)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${flowrt_debian_${FLOWRT_CPU}})
set(CPACK_DEBIAN_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_STRIP_FILES TRUE)
include(CPack)
