/* A crash inside the library can be traced to its caller: wherever a call faults, `backtrace` in a signal handler walks through
 * the library's frames to the caller, and the last of these has the name of the function that was called. Every page of the model and of the workspace is made inaccessible, one at a time.
 * Calls that fault in the C library's memcpy or memset are left out: these may be without tables, as on armv7. */
#include "support/call.h"
#include "support/guarded.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

enum { ROWS = 20, MOST_FRAMES = 64 };

static sigjmp_buf after_crash;
static void *frames[MOST_FRAMES];
static volatile int frame_count;
static void *volatile crash_address;
static void *return_address; /* of `faults`, in its caller */

static void *crashed_at(const ucontext_t *context) {
#if defined(__x86_64__)
    return (void *)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (void *)context->uc_mcontext.pc;
#elif defined(__arm__)
    return (void *)context->uc_mcontext.arm_pc;
#elif defined(__riscv)
    return (void *)context->uc_mcontext.__gregs[REG_PC];
#endif
}

static int is_in_library(void *address) {
    Dl_info at, own;
    return dladdr(address, &at) && dladdr((void *)(uintptr_t)flowrt_version_number, &own) && at.dli_fbase == own.dli_fbase;
}

static void on_crash(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    crash_address = crashed_at(context);
    frame_count = backtrace(frames, MOST_FRAMES);
    siglongjmp(after_crash, 1);
}

/* Whether the call faults. Then `frames` has the backtrace. */
__attribute__((noinline)) static int faults(call c) {
    return_address = __builtin_return_address(0);
    if (sigsetjmp(after_crash, 1)) return 1;
    call_run(&c);
    return 0;
}

static void must_reach_caller(const char *name, enum verb verb) {
    const uintptr_t thumb = 1; /* on ARM, in return addresses the mark of the instruction set */
    for (int i = 0; i < frame_count; i++)
        if (((uintptr_t)frames[i] | thumb) == ((uintptr_t)return_address | thumb)) return;
    CHECK(0, "%s, %s: %d frames, and none is the caller of the crashed call", name, verb_names[verb], frame_count);
}

/* The function that the program called, as backtrace_symbols and stripped libraries have it: by its exported name. */
static void must_name_call(const char *name, enum verb verb) {
    Dl_info at;
    char expected[32];
    int last = frame_count - 1;
    while (last >= 0 && !is_in_library(frames[last])) last--;
    snprintf(expected, sizeof expected, "flowrt_%s", verb_names[verb]);
    CHECK(last >= 0 && dladdr((char *)frames[last] - 1, &at) && at.dli_sname && strcmp(at.dli_sname, expected) == 0,
          "%s: the library's last frame is %s, not %s", name, at.dli_sname ? at.dli_sname : "without a name", expected);
}

/* Makes one page after the other inaccessible; returns how many calls faulted. */
static size_t crash(const char *name, call c, unsigned char *pages, size_t size) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t crashes = 0;
    for (size_t offset = 0; offset < size; offset += page) {
        CHECK(mprotect(pages + offset, 1, PROT_NONE) == 0, "mprotect");
        if (faults(c) && is_in_library(crash_address)) {
            must_reach_caller(name, c.verb);
            must_name_call(name, c.verb);
            crashes++;
        }
        CHECK(mprotect(pages + offset, 1, PROT_READ | PROT_WRITE) == 0, "mprotect");
    }
    return crashes;
}

static size_t crashes;

static void test(const flow_spec *spec, const flowrt_model *opened, uint32_t level) {
    (void)opened;
    const flow_file file = flow_build(spec, 1);
    const guarded bytes = guarded_map(file.size + FLOWRT_ALIGNMENT);
    const flow_file moved = {bytes.start, file.size};
    memcpy(moved.bytes, file.bytes, file.size);
    flowrt_model model;
    CHECK(flow_open_level(&model, moved, level), "%s", spec->name);
    const size_t workspace_size = flowrt_workspace_size(&model, ROWS);
    const guarded workspace = guarded_map(workspace_size);
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        for (size_t count = 1; count <= ROWS; count += ROWS - 1) {
            call c = call_new(&model, verb, count, 1);
            void *own = c.workspace;
            c.workspace = workspace.start;
            c.workspace_size = workspace_size;
            crashes += crash(spec->name, c, moved.bytes, file.size);
            crashes += crash(spec->name, c, workspace.start, workspace_size);
            c.workspace = own;
            call_free(c);
        }
    }
    guarded_unmap(bytes);
    guarded_unmap(workspace);
    flow_free(file);
}

int main(void) {
    void *first[1];
    backtrace(first, 1); /* loads what it needs, which a signal handler must not */
    struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0, "sigaction");
    for_each_flow(test);
    CHECK(crashes > 0, "no call crashed");
    printf("%zu crashes traced\n", crashes);
    return 0;
}
