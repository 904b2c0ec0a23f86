# FLOWRT_WARNINGS: for all C of this project that a build compiles, tests and examples. With CMAKE_COMPILE_WARNING_AS_ERROR, as in
# .ci/run, they are errors; for a user with another compiler they are not.
set(FLOWRT_WARNINGS
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wfloat-equal -Wshadow -Wcast-qual -Wwrite-strings -Wpointer-arith
    -Wformat=2 -Wundef -Wvla -Wnull-dereference -Wredundant-decls -Wstrict-prototypes -Wmissing-prototypes
    -Wold-style-definition)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  list(APPEND FLOWRT_WARNINGS -Wcast-align=strict -Wformat-signedness -Wlogical-op -Wduplicated-cond -Wduplicated-branches)
else()
  list(APPEND FLOWRT_WARNINGS -Wcast-align -Wno-enum-float-conversion) # a nameless enum is how C names its integers
endif()
