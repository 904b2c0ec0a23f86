# FLOWRT_CPU: x86_64, aarch64, armv7 or riscv64, of a build that takes libflowrt.a from a release. Any system will do: Linux with glibc
# or musl, Android, Generic (none).
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
  set(FLOWRT_CPU x86_64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|armv8|arm)" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
  set(FLOWRT_CPU aarch64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm)" AND CMAKE_SIZEOF_VOID_P EQUAL 4)
  set(FLOWRT_CPU armv7) # with NEON-VFPv4 and hard float; a linker refuses it in a soft-float program
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^riscv(64)?$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
  set(FLOWRT_CPU riscv64)
else()
  math(EXPR flowrt_bits "8 * ${CMAKE_SIZEOF_VOID_P}")
  message(FATAL_ERROR "flowrt has libraries for x86_64, aarch64, armv7 and riscv64, but none for '${CMAKE_SYSTEM_PROCESSOR}' "
                      "(${flowrt_bits} bit). Is CMAKE_SYSTEM_PROCESSOR set in the toolchain file?")
endif()
