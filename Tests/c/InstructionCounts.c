/* The instructions of each workload, as callgrind counts them: InstructionCounts.sh runs this program under valgrind and
 * compares with instruction_counts.txt. For each cell callgrind writes one dump, named
 *
 *   level flow direction batch
 *
 * and holding the instructions of one call. "log_prob-with-plan" is log_prob of a prepared model.
 *
 * Weights are random: the work does not depend on their values. Valgrind shows programs a CPU with AVX2 and without AVX-512, so
 * levels 1 and 2 are counted. It is slow at vectors: the wide flows are counted at few rows, so that all takes half a minute. */

#include "support/call.h"
#include <valgrind/callgrind.h>

enum { LEVELS = 2 };

/* Two hidden layers, one stage a rank, orders of the steps at random. */
typedef struct workload {
    const char *name;
    uint32_t dim, context_dim, width, steps;
    int activation;
    size_t largest_batch[LEVELS]; /* at level 1, level 2; 0: none */
} workload;

/* The flows of benchmarks/flows.py. */
static const workload workloads[] = {
    {"S", 6, 0, 50, 5, TANH, {64, 64}},     {"M", 8, 0, 100, 5, TANH, {64, 64}},
    {"L21", 21, 0, 512, 5, TANH, {8, 64}},  {"L43", 43, 0, 512, 5, TANH, {1, 8}},
    {"XL", 63, 0, 512, 10, RELU, {1, 8}},   {"SBI", 6, 10, 50, 5, TANH, {64, 64}},
    {"MNIST", 784, 0, 1024, 5, RELU, {0, 1}},
};
enum { WORKLOADS = sizeof workloads / sizeof *workloads };
static const size_t batches[] = {1, 4, 8, 64};
enum { BATCHES = sizeof batches / sizeof *batches };

static flow_file build(const workload *w, int reads) {
    static flow_spec spec;
    spec = (flow_spec){.name = w->name, .dim = w->dim, .context_dim = w->context_dim};
    for (uint32_t s = 0; s < w->steps; s++)
        spec.steps[s] = (step_spec){
            .kind = RECORD_AUTOREGRESSIVE,
            .reads = (uint16_t)reads,
            .transformer = AFFINE,
            .scale = SCALE_SOFTPLUS,
            .p = {1e-3f},
            .layer_count = 3,
            .layers = {{.width = w->width,
                        .activation = (uint16_t)w->activation,
                        .source = READ_SIDE,
                        .context = w->context_dim ? CONTEXT : NONE},
                       {.width = w->width, .activation = (uint16_t)w->activation, .source = LAYER(0)},
                       {.source = LAYER(1)}},
        };
    return flow_build(&spec, 1);
}

static void run(call *c) {
    const flowrt_status status = call_run(c);
    /* Random deep flows may leave the range of float32; that takes no other instructions. */
    CHECK(status == FLOWRT_OK || status == FLOWRT_ERR_NONFINITE, "%s", flowrt_status_message(status));
}

/* `how`: what follows the name of the direction. */
static void count(const char *flow, const flowrt_model *model, uint32_t level, enum verb verb, const char *how, size_t batch) {
    char name[64];
    snprintf(name, sizeof name, "%u %s %s%s %zu", (unsigned)level, flow, verb_names[verb], how, batch);
    call c = call_new(model, verb, batch, 1);
    if (c.context) c.context_rows = 1;
    CALLGRIND_ZERO_STATS;
    run(&c);
    CALLGRIND_DUMP_STATS_AT(name);
    call_free(c);
}

static void count_flow(const workload *w, int reads, flow_file file) {
    char name[32];
    snprintf(name, sizeof name, "%s-%s", w->name, reads == READS_DATA ? "MAF" : "IAF");
    for (uint32_t level = 1; level <= LEVELS; level++) {
        flowrt_model model;
        CHECK(flow_open_level(&model, file, level), "this CPU has no kernel level %u", (unsigned)level);
        for (enum verb verb = LOG_PROB; verb <= SAMPLE; verb++)
            for (size_t b = 0; b < BATCHES && batches[b] <= w->largest_batch[level - 1]; b++)
                count(name, &model, level, verb, "", batches[b]);
        /* One row, with a plan that the caller keeps. */
        void *plan = must_allocate(flowrt_plan_size(&model));
        CHECK_STATUS(FLOWRT_OK, flowrt_model_prepare(&model, plan, flowrt_plan_size(&model)));
        for (enum verb verb = LOG_PROB; verb <= SAMPLE && w->largest_batch[level - 1]; verb++)
            count(name, &model, level, verb, "-with-plan", 1);
        free(plan);
    }
}

int main(void) {
    static flow_file files[WORKLOADS][2];
    CHECK(RUNNING_ON_VALGRIND, "this program counts nothing outside of valgrind");
    for (int w = 0; w < WORKLOADS; w++)
        for (int reads = READS_DATA; reads <= READS_NOISE; reads++) files[w][reads] = build(&workloads[w], reads);
    /* Switching this on and off for each cell would take longer than the cells do. */
    CALLGRIND_START_INSTRUMENTATION;
    for (int w = 0; w < WORKLOADS; w++)
        for (int reads = READS_DATA; reads <= READS_NOISE; reads++) {
            count_flow(&workloads[w], reads, files[w][reads]);
            flow_free(files[w][reads]);
        }
    return 0;
}
