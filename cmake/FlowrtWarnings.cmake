# FLOWRT_WARNINGS: for all C of this project that a build compiles, tests and examples. They are errors where the tests are
# built, not for those who only build the library.
set(FLOWRT_WARNINGS -Wall -Wextra -Wpedantic -Wconversion)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  list(APPEND FLOWRT_WARNINGS -Wshadow=local) # what clang's -Wshadow reports; a variable may have the name of its type
else()
  list(APPEND FLOWRT_WARNINGS -Wshadow)
endif()
if(FLOWRT_BUILD_TESTS)
  list(APPEND FLOWRT_WARNINGS -Werror)
endif()
