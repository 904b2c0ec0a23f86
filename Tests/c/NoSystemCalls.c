/* No call makes a system call: a child runs all of them in seccomp's strict mode, where the kernel kills a process at
 * any call but read, write, _exit and sigreturn. */
#include "support/call.h"
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS = 100 };

static int run_confined(void (*work)(void *), void *argument) {
    const pid_t child = fork();
    CHECK(child >= 0, "no process");
    if (child == 0) {
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) _exit(2);
        work(argument);
        syscall(SYS_exit, 0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child, "no result");
    return status;
}

static void make_a_call(void *argument) {
    (void)argument;
    syscall(SYS_getpid);
}

typedef struct confined {
    flow_file file;
    uint32_t level;
    call calls[VERB_COUNT];
} confined;

static void run_everything(void *argument) {
    confined *all = argument;
    flowrt_model model;
    if (flowrt_model_open(&model, all->file.bytes, all->file.size, FLOWRT_OPEN_VERIFY | FLOWRT_OPEN_LEVEL(all->level),
                          NULL) != FLOWRT_OK)
        syscall(SYS_exit, 3);
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        all->calls[verb].model = &model;
        if (call_run(&all->calls[verb]) != FLOWRT_OK) syscall(SYS_exit, 4 + verb);
    }
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    confined all = {flow_build(spec, 1), level, {{0}}};
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) all.calls[verb] = call_new(model, verb, ROWS, 1);
    const int status = run_confined(run_everything, &all);
    CHECK(!WIFSIGNALED(status), "%s: a system call (signal %d)", spec->name, WTERMSIG(status));
    CHECK(WEXITSTATUS(status) == 0, "%s: exit status %d", spec->name, WEXITSTATUS(status));
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) call_free(all.calls[verb]);
    flow_free(all.file);
}

int main(void) {
    const int status = run_confined(make_a_call, NULL);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "seccomp does not work here: status %#x", (unsigned)status);
    for_each_flow(test);
}
