# libflowrt.so and libflowrt.a from the one relocatable object, as targets flowrt::flowrt and flowrt::flowrt_static.

list(JOIN FLOWRT_API_SYMBOLS "; " flowrt_exports)
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/flowrt.map" CONTENT "FLOWRT_0 { global: ${flowrt_exports}; local: *; };\n")

set_source_files_properties("${FLOWRT_OBJECT}" PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)

# Constants in a segment of their own, not executable: 4 kB of file. On aarch64 segments begin at multiples of 64 kB, for systems with
# such pages; there it would double the file.
set(flowrt_segments separate-code)
if(FLOWRT_CPU STREQUAL "aarch64")
  set(flowrt_segments noseparate-code)
endif()

if(NOT CMAKE_SYSTEM_NAME STREQUAL "Generic")
  set(flowrt_shared flowrt)
endif()
if(flowrt_shared)
  add_library(flowrt SHARED "${FLOWRT_OBJECT}")
  set_target_properties(flowrt PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINKER_LANGUAGE C
    LINK_DEPENDS "${PROJECT_BINARY_DIR}/flowrt.map")
  # Undefined symbols (memcpy, memmove, memset) stay without a DT_NEEDED: the program's own libc has them, whichever it is.
  target_link_options(flowrt PRIVATE ${FLOWRT_LINKER} -nostdlib
    "LINKER:--version-script=${PROJECT_BINARY_DIR}/flowrt.map" LINKER:--gc-sections
    LINKER:-z,now LINKER:-z,${flowrt_segments} LINKER:-z,relro LINKER:-z,noexecstack)
endif()

add_library(flowrt_static STATIC "${FLOWRT_OBJECT}")
set_target_properties(flowrt_static PROPERTIES OUTPUT_NAME flowrt LINKER_LANGUAGE C)

foreach(library IN ITEMS ${flowrt_shared} flowrt_static)
  add_dependencies(${library} flowrt_object)
  add_library(flowrt::${library} ALIAS ${library})
  set_target_properties(${library} PROPERTIES
    ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}" LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
  target_include_directories(${library} INTERFACE
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
endforeach()
