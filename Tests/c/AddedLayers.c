/* A layer adds up to three others, each with a scale of its own or none; in which place of its record a layer and its scale
 * stand changes the result by rounding alone. */
#include "support/call.h"
#include <math.h>

enum { ROWS = 20 };

/* The flow whose fourth layer adds the three before it, in the order `add`; the one in place `scaled` has a scale. Equal
 * parameters, whatever the order. */
static flow_file build(const uint16_t add[3], uint16_t scaled) {
    flow_spec spec = {"adds", 6, 0,
                      {{.kind = RECORD_AUTOREGRESSIVE,
                        .transformer = AFFINE,
                        .scale = SCALE_SOFTPLUS,
                        .p = {1e-3f},
                        .layer_count = 5,
                        .layers = {{.width = 19, .activation = TANH, .source = READ_SIDE},
                                   {.width = 19, .activation = TANH, .source = LAYER(0)},
                                   {.width = 19, .activation = TANH, .source = LAYER(1)},
                                   {.width = 19, .activation = TANH, .scaled = (uint16_t)(1 << scaled)},
                                   {.source = LAYER(3)}}}}};
    memcpy(spec.steps[0].layers[3].add, add, sizeof spec.steps[0].layers[3].add);
    return flow_build(&spec, 1);
}

static void check_order(const uint16_t add[3], uint16_t scaled) {
    const flow_file plain = build((const uint16_t[3]){LAYER(0), LAYER(1), LAYER(2)}, 2), other = build(add, scaled);
    for (uint32_t level = 1; level <= HIGHEST_LEVEL; level++) {
        flowrt_model model, permuted;
        if (!flow_open_level(&model, plain, level) || !flow_open_level(&permuted, other, level)) continue;
        for (size_t count = 1; count <= ROWS; count += ROWS - 1) {
            call expected = call_new(&model, FORWARD, count, 5), found = call_new(&permuted, FORWARD, count, 5);
            CHECK_STATUS(FLOWRT_OK, call_run(&expected));
            CHECK_STATUS(FLOWRT_OK, call_run(&found));
            for (size_t i = 0; i < count; i++)
                CHECK(fabs((double)expected.log_output[i] - (double)found.log_output[i]) < 1e-4,
                      "level %u, scale in place %u, row %zu of %zu: %.9g, not %.9g", level, scaled, i, count,
                      (double)found.log_output[i], (double)expected.log_output[i]);
            call_free(expected);
            call_free(found);
        }
    }
    flow_free(plain);
    flow_free(other);
}

int main(void) {
    /* The scale belongs to the third layer in each. */
    check_order((const uint16_t[3]){LAYER(1), LAYER(0), LAYER(2)}, 2);
    check_order((const uint16_t[3]){LAYER(0), LAYER(2), LAYER(1)}, 1);
    check_order((const uint16_t[3]){LAYER(2), LAYER(0), LAYER(1)}, 0);
}
