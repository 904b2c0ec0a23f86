# One program for each examples-c/<name>.c, in <build>/examples/.
file(GLOB flowrt_examples CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples-c/*.c")
if(flowrt_examples)
  set(THREADS_PREFER_PTHREAD_FLAG ON)
  find_package(Threads REQUIRED)
endif()
add_custom_target(flowrt-examples) # all of them
foreach(source IN LISTS flowrt_examples)
  cmake_path(GET source STEM name)
  add_executable(example-${name} "${source}")
  add_dependencies(flowrt-examples example-${name})
  target_link_libraries(example-${name} PRIVATE flowrt::flowrt Threads::Threads m)
  set_target_properties(example-${name} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/examples"
    C_STANDARD 99 C_STANDARD_REQUIRED ON)
  target_compile_options(example-${name} PRIVATE ${FLOWRT_WARNINGS})
endforeach()
