# FLOWRT_PREBUILT: the targets flowrt::flowrt and flowrt::flowrt_static from an unpacked release instead of from the sources, so that
# no Swift toolchain is needed. The folder is an unpacked flowrt-<version>-linux-<cpu>.tar.gz, or the drop-in folder with all CPUs.
include(FlowrtPrebuiltCpu)
get_filename_component(flowrt_prebuilt "${FLOWRT_PREBUILT}" ABSOLUTE BASE_DIR "${CMAKE_SOURCE_DIR}")
if(EXISTS "${flowrt_prebuilt}/lib/cmake/flowrt/flowrtConfig.cmake")
  find_package(flowrt ${PROJECT_VERSION} EXACT CONFIG QUIET PATHS "${flowrt_prebuilt}" NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
  if(NOT flowrt_FOUND)
    message(FATAL_ERROR "FLOWRT_PREBUILT: ${flowrt_prebuilt} is not flowrt ${PROJECT_VERSION} for ${FLOWRT_CPU}, but "
                        "${flowrt_CONSIDERED_VERSIONS}.")
  endif()
  foreach(library IN ITEMS flowrt flowrt_static)
    set_target_properties(flowrt::${library} PROPERTIES IMPORTED_GLOBAL TRUE)
  endforeach()
elseif(EXISTS "${flowrt_prebuilt}/FlowrtDropIn.cmake")
  include("${flowrt_prebuilt}/FlowrtDropIn.cmake")
else()
  message(FATAL_ERROR "FLOWRT_PREBUILT: ${flowrt_prebuilt} is no unpacked release of flowrt: it has neither "
                      "lib/cmake/flowrt/flowrtConfig.cmake nor FlowrtDropIn.cmake.")
endif()
