/* A library to preload, under which a program sees a CPU without AVX, AVX2, FMA and AVX-512: for peers that choose their kernels
 * by CPUID and have no option for it. It makes the kernel refuse CPUID (arch_prctl ARCH_SET_CPUID), and answers in its place
 * when the refusal arrives as SIGSEGV. SSE4 stays: NumPy will not start without it. Where the CPU cannot refuse, the program
 * ends with a worker's answer that says so (worker.h).
 *
 *   cc -O2 -shared -fPIC without_avx.c -o without_avx.so;  LD_PRELOAD=./without_avx.so PROGRAM
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { ARCH_SET_CPUID = 0x1012 };

static long allow_cpuid(unsigned long on) { return syscall(SYS_arch_prctl, ARCH_SET_CPUID, on); }

static void answer(int signal_number, siginfo_t *info, void *context) {
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *at = (const unsigned char *)r[REG_RIP];
    (void)info;
    if (at[0] != 0x0f || at[1] != 0xa2) { /* another fault: let it happen again without this handler */
        signal(signal_number, SIG_DFL);
        return;
    }
    const unsigned leaf = (unsigned)r[REG_RAX];
    unsigned a, b, c, d;
    allow_cpuid(1);
    __cpuid_count(leaf, (unsigned)r[REG_RCX], a, b, c, d);
    allow_cpuid(0);
    if (leaf == 1) c &= ~(bit_FMA | bit_OSXSAVE | bit_XSAVE | bit_AVX | bit_F16C);
    if (leaf == 7) a = b = c = d = 0;
    r[REG_RAX] = a, r[REG_RBX] = b, r[REG_RCX] = c, r[REG_RDX] = d;
    r[REG_RIP] += 2;
}

__attribute__((constructor)) static void start(void) {
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    if (allow_cpuid(0) != 0) {
        puts("no this CPU or its kernel cannot refuse CPUID, and so not hide AVX");
        exit(0);
    }
}
