/* Threads that share a model, each with its own outputs and workspace, get the bits that one thread gets. */
#include "support/call.h"
#include <pthread.h>

enum { ROWS = 200, THREADS = 2, REPEATS = 3 };

static void *run_repeatedly(void *argument) {
    call *c = argument;
    for (int i = 0; i < REPEATS; i++) {
        call again = *c;
        CHECK_STATUS(FLOWRT_OK, call_run(&again));
    }
    return NULL;
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    (void)level;
    for (verb verb = 0; verb < VERB_COUNT; verb++) {
        call alone = call_new(model, verb, ROWS, 81), together[THREADS];
        pthread_t threads[THREADS];
        for (int t = 0; t < THREADS; t++) {
            together[t] = call_new(model, verb, ROWS, 81);
            CHECK(pthread_create(&threads[t], NULL, run_repeatedly, &together[t]) == 0, "%s: no thread", spec->name);
        }
        CHECK_STATUS(FLOWRT_OK, call_run(&alone));
        for (int t = 0; t < THREADS; t++) {
            CHECK(pthread_join(threads[t], NULL) == 0, "%s", spec->name);
            if (verb != LOG_PROB)
                CHECK_SAME_BITS(spec->name, alone.output, together[t].output, (size_t)ROWS * spec->dim);
            CHECK_SAME_BITS(spec->name, alone.log_output, together[t].log_output, ROWS);
            call_free(together[t]);
        }
        call_free(alone);
    }
}

int main(void) { for_each_flow(test); }
