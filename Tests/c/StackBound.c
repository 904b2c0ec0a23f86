/* No call uses more than STACK_LIMIT bytes of stack, whatever the model: measured on a painted thread stack. */
#include "support/call.h"
#include <pthread.h>

enum { STACK_LIMIT = 20 * 1024, STACK = 512 * 1024, PAINT = 0x5a, ROWS = 130 };

static unsigned char stack[STACK] __attribute__((aligned(65536)));
static flow_file file;
static size_t deepest;

/* Bytes of paint that were overwritten below this frame while `work` ran. Its own frame is small, and not inlined. */
__attribute__((noinline)) static size_t depth(void (*work)(void *), void *argument) {
    unsigned char *const here = __builtin_frame_address(0);
    for (unsigned char *p = stack; p < here - 512; p++) *(volatile unsigned char *)p = PAINT;
    work(argument);
    const unsigned char *p = stack;
    while (p < here && *p == PAINT) p++;
    return (size_t)(here - p);
}

static void nothing(void *argument) { (void)argument; }

static void run_call(void *argument) { CHECK_STATUS(FLOWRT_OK, call_run(argument)); }

static void open_model(void *argument) {
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(argument, file.bytes, file.size, FLOWRT_OPEN_VERIFY, NULL));
}

static void keep_deepest(const char *name, const char *what, size_t bytes) {
    CHECK(bytes <= STACK_LIMIT, "%s, %s: %zu bytes of stack", name, what, bytes);
    if (bytes > deepest) deepest = bytes;
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    (void)level;
    file = flow_build(spec, 1);
    flowrt_model opened;
    keep_deepest(spec->name, "open", depth(open_model, &opened));
    flow_free(file);
    for (verb verb = 0; verb < VERB_COUNT; verb++) {
        call c = call_new(model, verb, ROWS, 91);
        keep_deepest(spec->name, verb_names[verb], depth(run_call, &c));
        call_free(c);
    }
}

static void *run_all(void *argument) {
    CHECK(depth(nothing, NULL) <= 1024, "the measurement itself takes %zu bytes", depth(nothing, NULL));
    for_each_flow(test);
    return argument;
}

int main(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstack(&attributes, stack, STACK) == 0, "attributes");
    CHECK(pthread_create(&thread, &attributes, run_all, NULL) == 0, "no thread");
    CHECK(pthread_join(thread, NULL) == 0, "join");
    printf("deepest call: %zu bytes\n", deepest);
}
