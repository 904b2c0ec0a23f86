/* Eight threads that share a model, and the plan of one that is prepared, each with its own outputs and workspace, get the bits that one thread gets. All
 * verbs run at the same time, and each thread starts with another one.
 *
 *   Threads                     compare
 *   Threads --shared-workspace  break the rule, without comparing: for ThreadSanitizer, to show that it would notice */
#include "support/call.h"
#include <pthread.h>

enum { ROWS = 60, THREADS = 8 };

static int shared_workspace;
static pthread_barrier_t start;

typedef struct worker {
    pthread_t thread;
    enum verb first;
    call calls[VERB_COUNT];
} worker;

static void *run_all_verbs(void *argument) {
    worker *w = argument;
    pthread_barrier_wait(&start);
    for (int i = 0; i < VERB_COUNT; i++) {
        const flowrt_status status = call_run(&w->calls[((int)w->first + i) % VERB_COUNT]);
        if (!shared_workspace) CHECK_STATUS(FLOWRT_OK, status);
    }
    return NULL;
}

static void compare(const flow_spec *spec, const flowrt_model *model) {
    call alone[VERB_COUNT];
    worker workers[THREADS];
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        alone[verb] = call_new(model, verb, ROWS, 81);
        CHECK_STATUS(FLOWRT_OK, call_run(&alone[verb]));
    }
    for (int t = 0; t < THREADS; t++) {
        workers[t].first = (enum verb)(t % VERB_COUNT);
        for (enum verb verb = 0; verb < VERB_COUNT; verb++) workers[t].calls[verb] = call_new(model, verb, ROWS, 81);
    }
    for (int t = 0; t < THREADS; t++) {
        worker *w = &workers[t];
        if (shared_workspace)
            for (enum verb verb = 0; verb < VERB_COUNT; verb++) w->calls[verb].workspace = workers[0].calls[verb].workspace;
        CHECK(pthread_create(&w->thread, NULL, run_all_verbs, w) == 0, "%s: no thread", spec->name);
    }
    for (int t = 0; t < THREADS; t++) CHECK(pthread_join(workers[t].thread, NULL) == 0, "%s", spec->name);
    if (shared_workspace) exit(0);

    for (int t = 0; t < THREADS; t++)
        for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
            const call *together = &workers[t].calls[verb];
            if (verb != LOG_PROB)
                CHECK_SAME_BITS(spec->name, alone[verb].output, together->output, (size_t)ROWS * spec->dim);
            CHECK_SAME_BITS(spec->name, alone[verb].log_output, together->log_output, ROWS);
            call_free(*together);
        }
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) call_free(alone[verb]);
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    (void)level;
    compare(spec, model);
    flowrt_model prepared = *model;
    const size_t size = flowrt_plan_size(model);
    void *plan = must_allocate(size);
    CHECK_STATUS(FLOWRT_OK, flowrt_model_prepare(&prepared, plan, size));
    compare(spec, &prepared);
    free(plan);
}

int main(int argc, char **argv) {
    shared_workspace = argc == 2 && strcmp(argv[1], "--shared-workspace") == 0;
    CHECK(argc == 1 || shared_workspace, "usage: Threads [--shared-workspace]");
    CHECK(pthread_barrier_init(&start, NULL, THREADS) == 0, "no barrier");
    for_each_flow(test);
}
