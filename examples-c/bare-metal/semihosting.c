/* Console and exit through Arm semihosting, which qemu and debug probes answer (Arm's "Semihosting for AArch32 and
 * AArch64", operations SYS_WRITE0 and SYS_EXIT_EXTENDED). */
#include "console.h"
#include <stdint.h>

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026 };

static void semihosting(uintptr_t operation, const void *argument) {
#ifdef __aarch64__
    register uintptr_t x0 __asm__("x0") = operation;
    register const void *x1 __asm__("x1") = argument;
    __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
#else
    register uintptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
#ifdef __thumb__
    __asm__ volatile("svc #0xab" : "+r"(r0) : "r"(r1) : "memory", "lr");
#else
    __asm__ volatile("svc #0x123456" : "+r"(r0) : "r"(r1) : "memory", "lr");
#endif
#endif
}

void console_write(const char *text) { semihosting(SYS_WRITE0, text); }

/* start-<cpu>.S comes here with what main returned. */
void leave(uintptr_t status);
void leave(uintptr_t status) {
    const uintptr_t block[2] = {APPLICATION_EXIT, status};
    for (;;) semihosting(SYS_EXIT_EXTENDED, block);
}
