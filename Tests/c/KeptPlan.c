/* A plan that the caller keeps changes no bit: every verb, at every shape of rows, with the workspace of a call without
 * it. The plan lies between inaccessible pages while it is made, in exactly the bytes that it needs, and is read-only
 * afterwards. What flowrt_model_prepare refuses leaves the model as it was. */
#include "support/call.h"
#include "support/guarded.h"

enum { MOST_ROWS = 65 };

/* One call with `model` and with `prepared`. */
static void compare(const char *flow, const flowrt_model *model, const flowrt_model *prepared, enum verb verb,
                    size_t count, size_t context_rows, size_t workspace_size) {
    call c = call_new(model, verb, count, 7), kept = call_new(prepared, verb, count, 7);
    if (c.context) c.context_rows = kept.context_rows = context_rows;
    c.workspace_size = kept.workspace_size = workspace_size;
    const flowrt_status status = call_run(&c);
    CHECK_STATUS(status, call_run(&kept));
    if (verb != LOG_PROB) CHECK_SAME_BITS(flow, c.output, kept.output, count * info_of(model).dim);
    CHECK_SAME_BITS(flow, c.log_output, kept.log_output, count);
    call_free(c);
    call_free(kept);
}

/* A gradient with `model` and with `prepared`. */
static void compare_gradient(const char *flow, const flowrt_model *model, const flowrt_model *prepared, size_t count) {
    const size_t size = flowrt_gradient_workspace_size(model, count);
    CHECK(size == flowrt_gradient_workspace_size(prepared, count), "%s: another size", flow);
    call c = call_new(model, LOG_PROB, count, 7), kept = call_new(prepared, LOG_PROB, count, 7);
    void *workspace = must_allocate(size);
    const flowrt_status status = flowrt_log_prob_gradient(model, count, c.input, c.context, c.context_rows, c.log_output,
                                                          c.output, NULL, workspace, size);
    CHECK_STATUS(status, flowrt_log_prob_gradient(prepared, count, kept.input, kept.context, kept.context_rows,
                                                  kept.log_output, kept.output, NULL, workspace, size));
    if (status != FLOWRT_ERR_GRADIENT) {
        CHECK_SAME_BITS(flow, c.output, kept.output, count * info_of(model).dim);
        CHECK_SAME_BITS(flow, c.log_output, kept.log_output, count);
    }
    free(workspace);
    call_free(c);
    call_free(kept);
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    (void)level;
    static const size_t counts[] = {1, 2, 5, 16, 17, MOST_ROWS};
    const size_t size = flowrt_plan_size(model);
    const guarded area = guarded_map(size);
    for (int at_end = 0; at_end <= 1; at_end++) {
        void *plan = at_end ? guarded_last(area, size, FLOWRT_ALIGNMENT) : area.start;
        flowrt_model prepared = *model, copy;
        canary_fill(area); /* the plan must not count on zeros */
        CHECK_STATUS(FLOWRT_ERR_WORKSPACE, flowrt_model_prepare(&prepared, plan, size - 1));
        canary_check(spec->name, area, area.start, 0);
        CHECK(memcmp(&prepared, model, sizeof prepared) == 0, "%s: a refusal changed the model", spec->name);
        CHECK_STATUS(FLOWRT_OK, flowrt_model_prepare(&prepared, plan, size));
        canary_check(spec->name, area, plan, size);
        guarded_allow(area, PROT_READ);
        memcpy(&copy, &prepared, sizeof copy);
        memset(&prepared, 0, sizeof prepared); /* a copy stands alone */
        CHECK(flowrt_plan_size(&copy) == size && flowrt_workspace_size(&copy, 9) == flowrt_workspace_size(model, 9),
              "%s: other sizes", spec->name);
        for (enum verb verb = 0; verb < VERB_COUNT; verb++)
            for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
                for (size_t contexts = 1; contexts <= counts[i]; contexts += counts[i] > 1 ? counts[i] - 1 : 1) {
                    compare(spec->name, model, &copy, verb, counts[i], contexts, flowrt_workspace_size(model, counts[i]));
                    compare(spec->name, model, &copy, verb, counts[i], contexts, flowrt_workspace_size(model, 1));
                    if (!spec->context_dim) break;
                }
        compare_gradient(spec->name, model, &copy, 1);
        compare_gradient(spec->name, model, &copy, 17);
        guarded_allow(area, PROT_READ | PROT_WRITE);
    }
    guarded_unmap(area);
}

/* All verbs return `status`, also for no rows. */
static void expect(flowrt_status status, const flowrt_model *model) {
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        call c = call_new(model, verb, 1, 1);
        CHECK_STATUS(status, call_run(&c));
        c.count = 0;
        CHECK_STATUS(status, call_run(&c));
        call_free(c);
    }
}

/* A plan that another model's plan or anything else was written over is not used. It can be made anew. */
static void check_overwritten(const flowrt_model *first, const flowrt_model *second) {
    const size_t size = flowrt_plan_size(first) + flowrt_plan_size(second);
    unsigned char *plan = must_allocate(size);
    flowrt_model a = *first, b = *second;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_prepare(&a, plan, size));
    expect(FLOWRT_OK, &a);
    CHECK_STATUS(FLOWRT_OK, flowrt_model_prepare(&b, plan, size));
    expect(FLOWRT_OK, &b);
    expect(FLOWRT_ERR_MODEL, &a);
    CHECK_STATUS(FLOWRT_OK, flowrt_model_prepare(&a, plan, size));
    expect(FLOWRT_OK, &a);
    memset(plan, 0, FLOWRT_ALIGNMENT);
    expect(FLOWRT_ERR_MODEL, &a);
    free(plan);
}

static void check_refusals(const flowrt_model *model, flow_file file) {
    const size_t size = flowrt_plan_size(model);
    unsigned char *plan = must_allocate(size + FLOWRT_ALIGNMENT);
    flowrt_model m = *model, closed = {{0}};
#define REFUSES(status, target, plan, size)                                          \
    do {                                                                             \
        CHECK_STATUS(status, flowrt_model_prepare(target, plan, size));              \
        CHECK(memcmp(&m, model, sizeof m) == 0, "a refusal changed the model");      \
    } while (0)
    REFUSES(FLOWRT_ERR_NULL, NULL, plan, size);
    REFUSES(FLOWRT_ERR_NULL, &m, NULL, size);
    REFUSES(FLOWRT_ERR_MODEL, &closed, plan, size);
    REFUSES(FLOWRT_ERR_WORKSPACE, &m, plan, 0);
    REFUSES(FLOWRT_ERR_ARGUMENT, &m, plan, (size_t)-64);
    for (size_t shift = 4; shift < FLOWRT_ALIGNMENT; shift += 4) REFUSES(FLOWRT_ERR_ALIGNMENT, &m, plan + shift, size);
    unsigned char *bytes = file.bytes;
    const size_t whole = file.size / FLOWRT_ALIGNMENT * FLOWRT_ALIGNMENT;
    REFUSES(FLOWRT_ERR_OVERLAP, &m, bytes, size);
    REFUSES(FLOWRT_ERR_OVERLAP, &m, bytes + whole - (whole == file.size ? FLOWRT_ALIGNMENT : 0), size);
    REFUSES(FLOWRT_ERR_OVERLAP, &m, bytes - FLOWRT_ALIGNMENT, size);
    CHECK(flowrt_plan_size(&closed) == 0 && flowrt_plan_size(NULL) == 0, "the size of no plan");
    /* The flowrt_model inside of the memory for its plan. */
    _Alignas(FLOWRT_ALIGNMENT) static unsigned char room[1 << 16];
    CHECK(size + sizeof m <= sizeof room, "%zu bytes", size);
    for (size_t at = 0; at < size; at += 8) {
        flowrt_model *inside = (flowrt_model *)(void *)(room + at);
        *inside = m;
        CHECK_STATUS(FLOWRT_ERR_OVERLAP, flowrt_model_prepare(inside, room, size));
        CHECK(memcmp(inside, model, sizeof m) == 0, "a refusal changed the model");
    }
    free(plan);
#undef REFUSES
}

int main(void) {
    for_each_flow(test);
    const flow_file file = flow_build(flow_case("mixed-directions"), 1), other = flow_build(flow_case("wide"), 1);
    flowrt_model first, second;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&first, file.bytes, file.size, 0, NULL));
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&second, other.bytes, other.size, 0, NULL));
    check_overwritten(&first, &second);
    check_refusals(&first, file);
    flow_free(file);
    flow_free(other);
}
