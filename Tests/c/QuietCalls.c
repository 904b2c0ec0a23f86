/* Open and all verbs between two marks, for those who watch from outside: a tracer of system calls (SystemCallTrace.sh)
 * and RealtimeSanitizer (RealtimeSanitizer.sh). A mark is a close of a file that cannot be: -1001 begins, -1002 ends.
 *
 *   QuietCalls                nothing but the library between the marks
 *   QuietCalls getppid        ... and a system call
 *   QuietCalls malloc         ... and an allocation
 *   QuietCalls lock           ... and a mutex
 * The last three show that the watcher sees. */
#include "support/call.h"
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ROWS = 100, BEGIN = -1001, END = -1002 };

/* Tells RealtimeSanitizer that this function must not allocate, lock or wait, nor anything that it calls. */
#if defined(__has_feature)
#if __has_feature(realtime_sanitizer)
#define MUST_NOT_BLOCK __attribute__((nonblocking))
#endif
#endif
#ifndef MUST_NOT_BLOCK
#define MUST_NOT_BLOCK
#endif

static const char *disturbance = "";
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void disturb(void) {
    if (strcmp(disturbance, "getppid") == 0) syscall(SYS_getppid);
    if (strcmp(disturbance, "malloc") == 0) free((void *volatile){malloc(1)});
    if (strcmp(disturbance, "lock") == 0 && pthread_mutex_lock(&mutex) == 0) pthread_mutex_unlock(&mutex);
}

static int run_everything(flow_file file, uint32_t level, call calls[VERB_COUNT]) MUST_NOT_BLOCK {
    flowrt_model model;
    flowrt_model_info info = FLOWRT_MODEL_INFO_INIT;
    int failures = flowrt_model_open(&model, file.bytes, file.size, FLOWRT_OPEN_VERIFY | FLOWRT_OPEN_LEVEL(level),
                                     NULL) != FLOWRT_OK;
    failures += flowrt_model_get_info(&model, &info) != FLOWRT_OK || flowrt_workspace_size(&model, ROWS) == 0;
    failures += !flowrt_version_number() || !flowrt_version_string() || !flowrt_build_info();
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        calls[verb].model = &model;
        failures += call_run(&calls[verb]) != FLOWRT_OK;
    }
    failures += !flowrt_status_message(FLOWRT_OK);
    disturb();
    return failures;
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    const flow_file file = flow_build(spec, 1);
    call calls[VERB_COUNT];
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) calls[verb] = call_new(model, verb, ROWS, 1);
    close(BEGIN);
    const int failures = run_everything(file, level, calls);
    close(END);
    CHECK(failures == 0, "%s: %d calls failed", spec->name, failures);
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) call_free(calls[verb]);
    flow_free(file);
}

int main(int argc, char **argv) {
    if (argc > 1) disturbance = argv[1];
    for_each_flow(test);
}
