/* Every buffer lies between inaccessible pages, at every count up to beyond two tiles, with tiles of every size: nothing
 * outside is touched. Model, inputs and context are read-only pages: nothing is written there.
 *   GuardPages [STRIDE]     from 18 rows on, every so many counts, 1 */
#include "support/call.h"
#include "support/guarded.h"

enum { MOST_ROWS = 130 };
static size_t stride = 1;
enum { MODEL, INPUT, CONTEXT_ROWS, OUTPUT, LOG_OUTPUT, WORKSPACE, AREAS };

/* Put each buffer at the end (or at the start) of its area, evaluate, and look at what lies around the outputs. The
 * workspace is that of calls of `tile_rows` rows. */
static void check_count(const flow_spec *spec, const flowrt_model *model, const guarded *area, size_t count,
                        size_t context_rows, size_t tile_rows, int at_end) {
    const size_t dim = spec->dim, sizes[AREAS] = {[INPUT] = count * dim * sizeof(float),
                                                  [CONTEXT_ROWS] = context_rows * spec->context_dim * sizeof(float),
                                                  [OUTPUT] = count * dim * sizeof(float),
                                                  [LOG_OUTPUT] = count * sizeof(float),
                                                  [WORKSPACE] = flowrt_workspace_size(model, tile_rows)};
    void *at[AREAS];
    for (int i = INPUT; i < AREAS; i++) {
        const size_t alignment = i == WORKSPACE ? FLOWRT_ALIGNMENT : sizeof(float);
        at[i] = at_end ? guarded_last(area[i], sizes[i], alignment) : area[i].start;
    }
    random_source random = {count};
    random_fill(&random, at[INPUT], count * dim);
    random_fill(&random, at[CONTEXT_ROWS], context_rows * spec->context_dim);
    guarded_allow(area[INPUT], PROT_READ);
    guarded_allow(area[CONTEXT_ROWS], PROT_READ);
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        canary_fill(area[OUTPUT]);
        canary_fill(area[LOG_OUTPUT]);
        call c = {.model = model,
                  .verb = verb,
                  .count = count,
                  .input = at[INPUT],
                  .context = spec->context_dim ? at[CONTEXT_ROWS] : NULL,
                  .context_rows = context_rows,
                  .output = at[OUTPUT],
                  .log_output = at[LOG_OUTPUT],
                  .workspace = at[WORKSPACE],
                  .workspace_size = sizes[WORKSPACE],
                  .rng = {1, 2, UINT64_MAX - count}};
        CHECK_STATUS(FLOWRT_OK, call_run(&c));
        canary_check(spec->name, area[OUTPUT], at[OUTPUT], verb == LOG_PROB ? 0 : sizes[OUTPUT]);
        canary_check(spec->name, area[LOG_OUTPUT], at[LOG_OUTPUT], sizes[LOG_OUTPUT]);
    }
    guarded_allow(area[INPUT], PROT_READ | PROT_WRITE);
    guarded_allow(area[CONTEXT_ROWS], PROT_READ | PROT_WRITE);
}

static void test(const flow_spec *spec, const flowrt_model *opened, uint32_t level) {
    (void)opened;
    const flow_file file = flow_build(spec, (uint64_t)(spec - flow_cases));
    const size_t row = spec->dim * sizeof(float);
    guarded area[AREAS] = {[MODEL] = guarded_map(file.size + FLOWRT_ALIGNMENT),
                           [INPUT] = guarded_map(MOST_ROWS * row),
                           [CONTEXT_ROWS] = guarded_map(MOST_ROWS * spec->context_dim * sizeof(float)),
                           [OUTPUT] = guarded_map(MOST_ROWS * row),
                           [LOG_OUTPUT] = guarded_map(MOST_ROWS * sizeof(float)),
                           [WORKSPACE] = guarded_map(flowrt_workspace_size(opened, SIZE_MAX))};
    const int long_test = spec->dim <= 13;
    for (int at_end = 0; at_end <= 1; at_end++) {
        const flow_file guarded_file = {
            at_end ? guarded_last(area[MODEL], file.size, FLOWRT_ALIGNMENT) : area[MODEL].start, file.size};
        memcpy(guarded_file.bytes, file.bytes, file.size);
        guarded_allow(area[MODEL], PROT_READ);
        flowrt_model model;
        CHECK(flow_open_level(&model, guarded_file, level), "%s", spec->name);
        for (size_t count = 1; count <= MOST_ROWS; count += count < 18 ? 1 : long_test ? stride : 7 * stride) {
            check_count(spec, &model, area, count, spec->context_dim ? count : 0, count, at_end);
            if (spec->context_dim) check_count(spec, &model, area, count, 1, count, at_end);
            for (size_t each = 2; spec->context_dim && each <= 18; each += each < 4 ? 1 : 7) /* rows of each context */
                if (count % each == 0) check_count(spec, &model, area, count, count / each, count, at_end);
            /* Smaller tiles, where a call ends with a whole one, one row more or one row less. */
            for (size_t tile = 1; tile <= 32 && tile < count; tile += tile == 1 ? 15 : 16)
                if ((count + 1) % 16 <= 2) check_count(spec, &model, area, count, spec->context_dim ? count : 0, tile, at_end);
        }
        guarded_allow(area[MODEL], PROT_READ | PROT_WRITE);
    }
    for (int i = 0; i < AREAS; i++) guarded_unmap(area[i]);
    flow_free(file);
}

int main(int argc, char **argv) {
    if (argc > 1) stride = strtoul(argv[1], NULL, 10);
    for_each_flow(test);
}
