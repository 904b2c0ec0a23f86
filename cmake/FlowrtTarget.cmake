# The CPU that the library is built for:
#   FLOWRT_CPU               x86_64, aarch64, armv7 or riscv64
#   FLOWRT_LEVELS            kernel levels, 1 is the baseline of the architecture
#   FLOWRT_SWIFT_FLAGS       flags of every swiftc call for this CPU
#   FLOWRT_API_OPTIMIZATION  flag of the part that is compiled once
#   FLOWRT_LEVEL_<n>_FLAGS   flags that raise the instruction set to that of level n
#   FLOWRT_LEVEL_<n>_ENTRIES what the rest of the library calls of level n
#
# -no-allocations lets the compiler prove that nothing allocates. On 32-bit CPUs it cannot: Swift's own UInt64 conversions
# mention an array there, which is optimised away. The test NoRuntime proves it on the linked library.
#
# Other CPUs than x86-64 use Swift's bare-metal Embedded targets: the code makes no system call, so it is the same, and no
# Swift SDK for the target is needed.

if(CMAKE_C_BYTE_ORDER STREQUAL "BIG_ENDIAN")
  message(FATAL_ERROR "flowrt reads its little-endian model files in place: ${CMAKE_SYSTEM_PROCESSOR} is big-endian.")
endif()
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
  message(FATAL_ERROR "flowrt builds ELF libraries for Linux, not for ${CMAKE_SYSTEM_NAME}.")
endif()

set(FLOWRT_LEVELS 1)
set(FLOWRT_API_OPTIMIZATION -Osize)
set(FLOWRT_LEVEL_1_FLAGS "")
set(FLOWRT_LEVEL_1_ENTRIES flowrt_evaluate flowrt_step flowrt_transposed)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
  set(FLOWRT_CPU x86_64)
  set(FLOWRT_LEVELS 1 2 3)
  set(FLOWRT_SWIFT_FLAGS -target x86_64-unknown-linux-gnu -no-allocations)
  set(FLOWRT_LEVEL_1_FLAGS -Xcc -march=x86-64 -D FLOWRT_BASELINE_HAS_NO_GRADIENT) # for the size: levels 2 and 3 have one copy
  set(FLOWRT_LEVEL_1_ENTRIES flowrt_evaluate flowrt_step)
  set(FLOWRT_LEVEL_2_FLAGS -Xcc -march=x86-64-v3)
  set(FLOWRT_LEVEL_3_FLAGS -Xcc -march=x86-64-v4)
  set(FLOWRT_LEVEL_2_ENTRIES flowrt_evaluate flowrt_step flowrt_transposed)
  set(FLOWRT_LEVEL_3_ENTRIES flowrt_step flowrt_transposed) # the rest is that of level 2, with the same bits
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
  set(FLOWRT_CPU aarch64)
  set(FLOWRT_SWIFT_FLAGS -target aarch64-none-none-elf -no-allocations)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(armv7|armv8|aarch64)" AND CMAKE_SIZEOF_VOID_P EQUAL 4)
  set(FLOWRT_CPU armv7)
  set(FLOWRT_SWIFT_FLAGS -target armv7-none-none-eabi
      -Xcc -march=armv7ve -Xcc -mfpu=neon-vfpv4 -Xcc -mfloat-abi=hard)
  set(FLOWRT_API_OPTIMIZATION -O) # for size, 64-bit shifts would be calls into libgcc
elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "riscv64")
  set(FLOWRT_CPU riscv64)
  set(FLOWRT_SWIFT_FLAGS -target riscv64-none-none-eabi -no-allocations -Xcc -march=rv64gc -Xcc -mabi=lp64d)
else()
  math(EXPR bits "8 * ${CMAKE_SIZEOF_VOID_P}")
  message(FATAL_ERROR "flowrt has no build for ${CMAKE_SYSTEM_PROCESSOR} (${bits} bit); it has x86_64, aarch64, "
                      "armv7 with NEON-VFPv4 and hard float, and riscv64.")
endif()
