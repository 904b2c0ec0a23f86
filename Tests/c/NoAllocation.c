/* No call allocates: this program's own malloc counts. */
#include "support/call.h"
#include "support/guarded.h"
#include <errno.h>

static size_t allocations;

/* A heap that only grows; each block starts with its size. */
static void *grow(size_t alignment, size_t size) {
    static _Alignas(4096) unsigned char heap[256 << 20];
    static size_t used;
    allocations++;
    if (alignment < sizeof(max_align_t)) alignment = sizeof(max_align_t);
    const size_t at = (used + sizeof(size_t) + alignment - 1) / alignment * alignment;
    if (at > sizeof heap || size > sizeof heap - at) return NULL;
    memcpy(heap + at - sizeof size, &size, sizeof size);
    used = at + size;
    return heap + at;
}

void *malloc(size_t size) { return grow(1, size); }
void *aligned_alloc(size_t alignment, size_t size) { return grow(alignment, size); }
void free(void *block) { (void)block; }

void *calloc(size_t count, size_t size) {
    void *block = grow(1, count * size);
    return block ? memset(block, 0, count * size) : NULL;
}

void *realloc(void *block, size_t size) {
    void *larger = grow(1, size);
    size_t before = 0;
    if (block) memcpy(&before, (unsigned char *)block - sizeof before, sizeof before);
    return larger && block ? memcpy(larger, block, before < size ? before : size) : larger;
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    *block = grow(alignment, size);
    return *block ? 0 : ENOMEM;
}

static void check_counter(void) {
    const size_t before = allocations;
    void *volatile block = malloc(1);
    CHECK(allocations == before + 1 && block, "this program's malloc is not the one in use");
}

static void test(const flow_spec *spec, const flowrt_model *opened, uint32_t level) {
    (void)opened;
    const flow_file file = flow_build(spec, 1);
    for (size_t count = 1; count <= 100; count += 33) {
        call calls[VERB_COUNT];
        for (enum verb verb = 0; verb < VERB_COUNT; verb++) calls[verb] = call_new(opened, verb, count, 1);
        void *plan = must_allocate(flowrt_plan_size(opened));
        const size_t before = allocations;
        flowrt_model model;
        CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size,
                                                  FLOWRT_OPEN_VERIFY | FLOWRT_OPEN_LEVEL(level), NULL));
        for (enum verb verb = 0; verb < VERB_COUNT; verb++) CHECK_STATUS(FLOWRT_OK, call_run(&calls[verb]));
        CHECK_STATUS(FLOWRT_OK, flowrt_model_prepare(&model, plan, flowrt_plan_size(&model)));
        for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
            calls[verb].model = &model;
            CHECK_STATUS(FLOWRT_OK, call_run(&calls[verb]));
        }
        CHECK(allocations == before, "%s: %zu allocations", spec->name, allocations - before);
    }
}

int main(void) {
    check_counter();
    for_each_flow(test);
}
