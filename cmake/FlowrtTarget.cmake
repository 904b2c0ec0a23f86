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
if(NOT CMAKE_SYSTEM_NAME MATCHES "^(Linux|Android|Generic)$")
  message(FATAL_ERROR "flowrt builds ELF libraries for Linux, Android and, without an operating system, Generic; not for "
                      "${CMAKE_SYSTEM_NAME}.")
endif()

# flowrt_compiler_says(<variable> <condition>): whether the macros of the C compiler, with its flags, fulfil the condition.
# What a toolchain file calls its processor says less: it may be arm for a Cortex-A15 and for a Cortex-M4.
include(CheckCSourceCompiles)
function(flowrt_compiler_says variable condition)
  set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
  set(CMAKE_REQUIRED_QUIET TRUE)
  unset(${variable} CACHE)
  check_c_source_compiles("#if !(${condition})\n#error no\n#endif\nint flowrt_says;" ${variable})
endfunction()
flowrt_compiler_says(FLOWRT_FOR_X86_64 "defined(__x86_64__) && !defined(__ILP32__)")
flowrt_compiler_says(FLOWRT_FOR_AARCH64 "defined(__aarch64__) && !defined(__ILP32__)")
flowrt_compiler_says(FLOWRT_FOR_ARM "defined(__arm__)")
flowrt_compiler_says(FLOWRT_FOR_RISCV64 "defined(__riscv) && __riscv_xlen == 64")
if(FLOWRT_FOR_ARM)
  flowrt_compiler_says(FLOWRT_ARM_IS_M "defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'")
  flowrt_compiler_says(FLOWRT_ARM_IS_OLD "__ARM_ARCH < 7")
  flowrt_compiler_says(FLOWRT_ARM_IS_SOFT "!defined(__ARM_PCS_VFP)")
  # What the compiler may use without NEON says nothing of the CPU: that of Debian may use less than libflowrt.
  flowrt_compiler_says(FLOWRT_ARM_LACKS_FMA "defined(__ARM_NEON) && !defined(__ARM_FEATURE_FMA)")
  if(FLOWRT_ARM_IS_M)
    set(reason "a Cortex-M: it has no vectors of 32-bit floats (NEON)")
  elseif(FLOWRT_ARM_IS_OLD)
    set(reason "an ARM before ARMv7: it has no NEON")
  elseif(FLOWRT_ARM_IS_SOFT)
    set(reason "the ABI that passes floats in integer registers (-mfloat-abi=soft or softfp, armel, Android's armeabi-v7a): "
               "flowrt is compiled for the hard-float ABI (armhf)")
  elseif(FLOWRT_ARM_LACKS_FMA)
    set(reason "an ARM with NEON but without fused multiply-add, such as Cortex-A8 and A9. If the CPU has VFPv4 "
               "(Cortex-A7, A15 and later), say so: -mfpu=neon-vfpv4")
  endif()
  if(DEFINED reason)
    string(CONCAT reason ${reason})
    message(FATAL_ERROR "flowrt needs a 32-bit ARM core with NEON, VFPv4 and hard float. The C compiler builds for ${reason}.")
  endif()
elseif(FLOWRT_FOR_RISCV64)
  flowrt_compiler_says(FLOWRT_RISCV_IS_GC "defined(__riscv_float_abi_double) && defined(__riscv_compressed)")
  if(NOT FLOWRT_RISCV_IS_GC)
    message(FATAL_ERROR "flowrt needs rv64gc with the ABI lp64d. The C compiler builds for less.")
  endif()
endif()
if(CMAKE_SYSTEM_NAME STREQUAL "Generic")
  message(STATUS "No operating system: libflowrt.a alone, without install rules, tests and examples")
  foreach(part INSTALL BUILD_TESTS BUILD_EXAMPLES BUILD_TOOLS)
    set(FLOWRT_${part} OFF)
  endforeach()
endif()

set(FLOWRT_LEVELS 1)
set(FLOWRT_API_OPTIMIZATION -Osize)
set(FLOWRT_LEVEL_1_FLAGS "")
set(FLOWRT_LEVEL_1_ENTRIES flowrt_evaluate flowrt_step flowrt_transposed)
if(FLOWRT_FOR_X86_64)
  set(FLOWRT_CPU x86_64)
  set(FLOWRT_LEVELS 1 2 3)
  set(FLOWRT_SWIFT_FLAGS -target x86_64-unknown-linux-gnu -no-allocations)
  set(FLOWRT_LEVEL_1_FLAGS -Xcc -march=x86-64 -D FLOWRT_BASELINE_HAS_NO_GRADIENT) # for the size: levels 2 and 3 have one copy
  set(FLOWRT_LEVEL_1_ENTRIES flowrt_evaluate flowrt_step)
  set(FLOWRT_LEVEL_2_FLAGS -Xcc -march=x86-64-v3)
  set(FLOWRT_LEVEL_3_FLAGS -Xcc -march=x86-64-v4)
  set(FLOWRT_LEVEL_2_ENTRIES flowrt_evaluate flowrt_step flowrt_transposed)
  set(FLOWRT_LEVEL_3_ENTRIES flowrt_step flowrt_transposed) # the rest is that of level 2, with the same bits
elseif(FLOWRT_FOR_AARCH64)
  set(FLOWRT_CPU aarch64)
  set(FLOWRT_SWIFT_FLAGS -target aarch64-none-none-elf -no-allocations)
elseif(FLOWRT_FOR_ARM)
  set(FLOWRT_CPU armv7)
  set(FLOWRT_SWIFT_FLAGS -target armv7-none-none-eabi
      -Xcc -march=armv7ve -Xcc -mfpu=neon-vfpv4 -Xcc -mfloat-abi=hard)
  set(FLOWRT_API_OPTIMIZATION -O) # for size, 64-bit shifts would be calls into libgcc
elseif(FLOWRT_FOR_RISCV64)
  set(FLOWRT_CPU riscv64)
  set(FLOWRT_SWIFT_FLAGS -target riscv64-none-none-eabi -no-allocations -Xcc -march=rv64gc -Xcc -mabi=lp64d)
else()
  math(EXPR bits "8 * ${CMAKE_SIZEOF_VOID_P}")
  message(FATAL_ERROR "flowrt has no build for ${CMAKE_SYSTEM_PROCESSOR} (${bits} bit); it has x86_64, aarch64, "
                      "armv7 with NEON-VFPv4 and hard float, and riscv64.")
endif()
message(STATUS "libflowrt for ${FLOWRT_CPU}")
