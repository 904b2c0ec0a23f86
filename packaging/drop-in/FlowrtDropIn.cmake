# Targets flowrt::flowrt_static and, the same, flowrt::flowrt from this folder, and flowrt_add_model: libflowrt.a needs memcpy, memmove
# and memset of any C library or of the program, so it serves Linux with glibc or musl, Android, and no system at all.
include("${CMAKE_CURRENT_LIST_DIR}/FlowrtPrebuiltCpu.cmake")
add_library(flowrt::flowrt_static STATIC IMPORTED GLOBAL)
set_target_properties(flowrt::flowrt_static PROPERTIES
  IMPORTED_LOCATION "${CMAKE_CURRENT_LIST_DIR}/lib/${FLOWRT_CPU}/libflowrt.a"
  INTERFACE_INCLUDE_DIRECTORIES "${CMAKE_CURRENT_LIST_DIR}/include")
add_library(flowrt::flowrt ALIAS flowrt::flowrt_static)
include("${CMAKE_CURRENT_LIST_DIR}/FlowrtModel.cmake")
