/* No call uses more stack than docs/PROMISES.md says, and none uses more for a larger model: measured on a painted
 * thread stack. Prints what each call uses at most. */
#include "support/call.h"
#include <pthread.h>

#if defined __riscv /* no vector registers: what other CPUs keep in them is on the stack */
#define VERB_KIB 12
#elif defined __arm__ /* half as many as others */
#define VERB_KIB 10
#else
#define VERB_KIB 8
#endif

enum {
    OPEN_LIMIT = 11 * 1024,
    VERB_LIMIT = VERB_KIB * 1024,
    STACK = 512 * 1024,
    PAINTED = 64 * 1024,
    PAINT = 0x5a,
    ROWS = 130,
    OPEN = VERB_COUNT,
    PREPARE,
    FUNCTIONS
};

static unsigned char stack[STACK] __attribute__((aligned(65536)));
static flow_file file;
static size_t deepest[HIGHEST_LEVEL + 1][FUNCTIONS];

/* Bytes of paint that were overwritten below this frame while `work` ran, at most PAINTED. Its own frame is small, and
 * not inlined. */
__attribute__((noinline)) static size_t depth(void (*work)(void *), void *argument) {
    unsigned char *const here = __builtin_frame_address(0), *const bottom = here - PAINTED;
    CHECK(bottom >= stack, "the stack is too small");
    for (unsigned char *p = bottom; p < here - 512; p++) *(volatile unsigned char *)p = PAINT;
    work(argument);
    const unsigned char *p = bottom;
    while (p < here && *p == PAINT) p++;
    return (size_t)(here - p);
}

static void nothing(void *argument) { (void)argument; }

static void run_call(void *argument) { CHECK_STATUS(FLOWRT_OK, call_run(argument)); }

static void open_model(void *argument) {
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(argument, file.bytes, file.size, FLOWRT_OPEN_VERIFY, NULL));
}

static const char *name_of(int function) {
    return function == OPEN ? "open" : function == PREPARE ? "prepare" : verb_names[function];
}

static void *plan;
static void prepare_model(void *argument) {
    CHECK_STATUS(FLOWRT_OK, flowrt_model_prepare(argument, plan, flowrt_plan_size(argument)));
}

/* Stack of open, of prepare and of every verb. */
static void measure(const flow_file flow, const flowrt_model *model, size_t bytes[FUNCTIONS]) {
    flowrt_model opened;
    file = flow;
    bytes[OPEN] = depth(open_model, &opened);
    plan = must_allocate(flowrt_plan_size(&opened));
    bytes[PREPARE] = depth(prepare_model, &opened);
    free(plan);
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        call c = call_new(model, (enum verb)verb, ROWS, 91);
        bytes[verb] = depth(run_call, &c);
        call_free(c);
    }
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    const flow_file flow = flow_build(spec, 1);
    size_t bytes[FUNCTIONS];
    measure(flow, model, bytes);
    for (int f = 0; f < FUNCTIONS; f++) {
        const size_t limit = f == OPEN ? OPEN_LIMIT : VERB_LIMIT;
        CHECK(bytes[f] <= limit, "%s, %s: %zu bytes of stack, %zu allowed", spec->name,
              name_of(f), bytes[f], limit);
        if (bytes[f] > deepest[level][f]) deepest[level][f] = bytes[f];
    }
    flow_free(flow);
}

/* The same kinds of steps and layers with more coordinates, units, steps: the same stack, to the byte. */
static void check_size_does_not_matter(uint32_t level) {
    const flow_spec *small = flow_case("mixed-directions");
    size_t expected[FUNCTIONS] = {0};
    for (uint32_t factor = 1; factor <= 8; factor *= 2) {
        flow_spec spec = *small;
        spec.dim = 20 * factor;
        spec.context_dim *= factor;
        size_t steps = 0;
        while (spec.steps[steps].kind) steps++;
        for (size_t s = 0; s < steps; s++)
            for (uint16_t l = 0; l < spec.steps[s].layer_count; l++) spec.steps[s].layers[l].width *= factor;
        if (factor > 1) memcpy(spec.steps + steps, spec.steps, steps * sizeof *spec.steps); /* and twice the steps */
        const flow_file flow = flow_build(&spec, 1);
        flowrt_model model;
        size_t bytes[FUNCTIONS];
        if (flow_open_level(&model, flow, level)) {
            measure(flow, &model, bytes);
            for (int f = 0; f < FUNCTIONS; f++)
                CHECK(factor == 1 || bytes[f] == expected[f],
                      "level %u, %s: %zu bytes of stack, %zu at %u times the size", level,
                      name_of(f), expected[f], bytes[f], factor);
            memcpy(expected, bytes, sizeof bytes);
        }
        flow_free(flow);
    }
}

static void *run_all(void *argument) {
    CHECK(depth(nothing, NULL) <= 1024, "the measurement itself takes %zu bytes", depth(nothing, NULL));
    for_each_flow(test);
    for (uint32_t level = 1; level <= HIGHEST_LEVEL; level++) check_size_does_not_matter(level);
    return argument;
}

int main(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstack(&attributes, stack, STACK) == 0, "attributes");
    CHECK(pthread_create(&thread, &attributes, run_all, NULL) == 0, "no thread");
    CHECK(pthread_join(thread, NULL) == 0, "join");
    for (uint32_t level = 1; level <= HIGHEST_LEVEL; level++) {
        if (!deepest[level][OPEN]) continue;
        printf("level %u, bytes of stack: open %zu, prepare %zu", level, deepest[level][OPEN],
               deepest[level][PREPARE]);
        for (int verb = 0; verb < VERB_COUNT; verb++) printf(", %s %zu", verb_names[verb], deepest[level][verb]);
        printf("\n");
    }
}
