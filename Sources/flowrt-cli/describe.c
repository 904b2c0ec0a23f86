#include "describe.h"

#include "layout.h"
#include "output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The words for the codes of docs/FORMAT.md, in the order of their numbers: those of the Python package. */
static const char *const activations[] = {
    "identity", "relu",       "tanh",      "elu",        "leaky relu",
    "silu",     "gelu",       "gelu tanh", "sigmoid",    "softplus",
    "softsign", "layer norm", "sine",      "arctangent", "inverse hyperbolic sine"};
static const char *const kinds[] = {"?",           "autoregressive", "layer",   "diagonal", "linear",
                                    "elementwise", "permutation",    "encoder", "base",     "pixelwise linear"};
static const char *const operations[] = {"dense", "convolution", "depthwise convolution", "max pooling", "gather"};
static const char *const sides[] = {"data", "noise"};
static const char *const functions[] = {
    "identity", "logit", "log above",     "log below", "sigmoid",          "exp above", "atanh",
    "tanh",     "leaky", "leaky inverse", "softsign",  "softsign inverse", "probit",    "normal cdf"};
static const char *const bases[] = {"standard normal", "diagonal normal",    "box uniform",
                                    "normal mixture",  "conditional normal", "autoregressive mixture"};
static const char *const transformers[] = {"?", "affine", "additive", "spline"};
static const char *const forms[] = {"scale then shift", "shift then scale", "gated"};
static const char *const scales[] = {"exp",     "exp clamped",      "softplus", "softplus clamped",
                                     "sigmoid", "exp soft clipped", "exp tanh", "exp atan"};
static const char *const pieces[] = {"rational quadratic", "linear", "quadratic", "linear rational", "cubic"};

#define WORD(list, code) ((code) < sizeof(list) / sizeof *(list) ? (list)[code] : "?")
enum { AFFINE = 1, SPLINE = 3 };

static bool is_ascending(const uint32_t *index, size_t count, bool turned) {
    for (size_t i = 0; i < count; i++)
        if (index[i] != (turned ? count - 1 - i : i)) return false;
    return true;
}

static void put_order(const uint32_t *index, size_t count) {
    if (is_ascending(index, count, false)) {
        output_printf("ascending");
    } else if (is_ascending(index, count, true)) {
        output_printf("descending");
    } else {
        for (size_t i = 0; i < count && i < 8; i++) output_printf("%s%" PRIu32, i ? " " : "", index[i]);
        if (count > 8) output_printf(" ...");
    }
}

/* Pixels of the output plane, down (0) or across (1). */
static uint32_t output_pixels(const flowrt_layer_record *layer, int side) {
    uint32_t length = (uint32_t)layer->plane[side] + layer->pad[2 * side] + layer->pad[2 * side + 1];
    return (length - layer->dilation[side] * (layer->kernel[side] - 1u) - 1) / layer->stride[side] + 1;
}

/* Units of a dense layer; of one with a window its output plane, what it does there, and the kernel. */
static void put_size(const flowrt_layer_record *layer) {
    if (layer->operation == DENSE)
        output_printf("%" PRIu32, layer->width);
    else if (layer->operation == GATHER)
        output_printf("%" PRIu32 " %s", layer->width, operations[GATHER]);
    else
        output_printf("%" PRIu32 " x %" PRIu32 " x %" PRIu32 " %s %u x %u", layer->channels, output_pixels(layer, 0),
                      output_pixels(layer, 1), WORD(operations, layer->operation), layer->kernel[0], layer->kernel[1]);
}

static void put_widths(const part *of) {
    for (size_t i = 0; i < of->layer_count; i++) {
        output_printf("%s", i ? ", " : "");
        put_size(&of->layers[i]);
        output_printf(" %s", WORD(activations, of->layers[i].activation));
    }
}

static void put_autoregressive(const part *of, size_t dim) {
    const flowrt_step_record *step = &of->step;
    output_printf("autoregressive, reads %s, %s", WORD(sides, step->reads), WORD(transformers, step->transformer));
    if (step->transformer == AFFINE) output_printf(" (%s, %s)", WORD(forms, step->form), WORD(scales, step->scale));
    if (step->transformer == SPLINE)
        output_printf(" (%" PRIu32 " bins, %s)", step->bins, WORD(pieces, flowrt_spline_pieces(step->form)));
    output_printf(", %" PRIu32 " stages", step->stage_count);
    if (step->passthrough) output_printf(", %" PRIu32 " of %zu pass through", step->passthrough, dim);
    output_printf(", order of the data ");
    put_order(of->indices[0], dim);
    output_printf(", of the noise ");
    put_order(of->indices[1], dim);
    output_printf(", layers ");
    put_widths(of);
}

/* The functions that coordinates have, each once, in the order of their numbers. */
static void put_functions(const part *of, size_t dim) {
    output_printf("elementwise");
    for (uint32_t code = 0; code < sizeof functions / sizeof *functions; code++)
        for (size_t i = 0; i < dim; i++)
            if (of->indices[0][i] == code) {
                output_printf(", %s", functions[code]);
                break;
            }
}

static void put_step(const part *of, size_t dim) {
    switch (of->step.kind) {
    case KIND_AUTOREGRESSIVE: put_autoregressive(of, dim); break;
    case KIND_ELEMENTWISE: put_functions(of, dim); break;
    case KIND_PERMUTATION:
        output_printf("permutation, ");
        put_order(of->indices[0], dim);
        break;
    default:
        output_printf("%s, log|det| %.6g", WORD(kinds, of->step.kind), of->constant.log_det);
        if (of->step.kind == KIND_PIXELWISE_LINEAR)
            output_printf(", %" PRIu32 " pixels of %" PRIu32 " channels", of->pixelwise.pixels, of->pixelwise.channels);
        break;
    }
}

static bool is_plain(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 32 || text[i] == 127) return false;
    return true;
}

/* A string without quotes unless it has control characters, which must not reach a terminal. */
static void put_string(json string) {
    size_t length;
    char *text = json_string(string, &length);
    if (is_plain(text, length))
        output_write(text, length);
    else
        output_write(string.begin, (size_t)(string.end - string.begin));
    free(text);
}

static bool is_list_of_strings(json value) {
    if (*value.begin != '[') return false;
    json item = {NULL, NULL};
    for (item = json_next(value, item, NULL); item.begin; item = json_next(value, item, NULL))
        if (*item.begin != '"') return false;
    return true;
}

static void put_metadata(const model *flow) {
    if (!flow->metadata.begin) return;
    json key, value = {NULL, NULL};
    for (value = json_next(flow->metadata, value, &key); value.begin; value = json_next(flow->metadata, value, &key)) {
        put_string(key);
        output_printf(": ");
        if (*value.begin == '"') {
            put_string(value);
        } else if (is_list_of_strings(value)) {
            json item = {NULL, NULL};
            for (item = json_next(value, item, NULL); item.begin;) {
                put_string(item);
                item = json_next(value, item, NULL);
                if (item.begin) output_printf(", ");
            }
        } else {
            output_write(value.begin, (size_t)(value.end - value.begin));
        }
        output_printf("\n");
    }
}

void describe(const model *flow) {
    const flowrt_model_info *info = &flow->info;
    output_printf("%" PRIu32 " dimensions, context of %" PRIu32 ", %zu bytes\n", info->dim, info->context_dim,
                  flow->size);
    layout at = layout_begin(flow);
    static part found;
    for (size_t step = 0; layout_next(&at, &found);) {
        if (found.step.kind == KIND_ENCODER) {
            output_printf("context encoder: ");
            put_widths(&found);
        } else if (found.step.kind == KIND_BASE) {
            output_printf("base: %s", WORD(bases, found.step.density));
        } else {
            output_printf("step %zu: ", step++);
            put_step(&found, info->dim);
        }
        output_printf("\n");
    }
    put_metadata(flow);
}

/* ---- JSON ---- */

/* What a layer of planes is; nothing of a dense one. */
static void put_plane_json(const flowrt_layer_record *layer) {
    if (layer->operation == DENSE) return;
    output_printf(", \"operation\": \"%s\"", WORD(operations, layer->operation));
    if (layer->operation == GATHER) return;
    output_printf(", \"plane\": [%u, %u], \"in_channels\": %" PRIu32 ", \"channels\": %" PRIu32, layer->plane[0],
                  layer->plane[1], layer->in_channels, layer->channels);
    output_printf(", \"kernel\": [%u, %u], \"stride\": [%u, %u], \"dilation\": [%u, %u], \"pad\": [%u, %u, %u, %u]",
                  layer->kernel[0], layer->kernel[1], layer->stride[0], layer->stride[1], layer->dilation[0],
                  layer->dilation[1], layer->pad[0], layer->pad[1], layer->pad[2], layer->pad[3]);
}

static void put_layers_json(const part *of) {
    output_printf("[");
    for (size_t i = 0; i < of->layer_count; i++) {
        output_printf("%s{\"width\": %" PRIu32 ", \"activation\": \"%s\"", i ? ", " : "", of->layers[i].width,
                      WORD(activations, of->layers[i].activation));
        put_plane_json(&of->layers[i]);
        output_printf("}");
    }
    output_printf("]");
}

static void put_index_json(const char *key, const uint32_t *index, size_t count) {
    output_printf(", \"%s\": [", key);
    for (size_t i = 0; i < count; i++) output_printf("%s%" PRIu32, i ? ", " : "", index[i]);
    output_printf("]");
}

static void put_step_json(const part *of, size_t dim) {
    const flowrt_step_record *step = &of->step;
    output_printf("{\"kind\": \"%s\"", WORD(kinds, step->kind));
    switch (step->kind) {
    case KIND_AUTOREGRESSIVE:
        output_printf(", \"reads\": \"%s\", \"transformer\": \"%s\"", WORD(sides, step->reads),
                      WORD(transformers, step->transformer));
        if (step->transformer == AFFINE)
            output_printf(", \"form\": \"%s\", \"scale\": \"%s\"", WORD(forms, step->form), WORD(scales, step->scale));
        if (step->transformer == SPLINE)
            output_printf(", \"bins\": %" PRIu32 ", \"pieces\": \"%s\"", step->bins,
                          WORD(pieces, flowrt_spline_pieces(step->form)));
        output_printf(", \"stages\": %" PRIu32 ", \"pass_through\": %" PRIu32, step->stage_count, step->passthrough);
        put_index_json("data_order", of->indices[0], dim);
        put_index_json("noise_order", of->indices[1], dim);
        output_printf(", \"layers\": ");
        put_layers_json(of);
        break;
    case KIND_ELEMENTWISE:
        output_printf(", \"functions\": [");
        for (size_t i = 0; i < dim; i++) output_printf("%s\"%s\"", i ? ", " : "", WORD(functions, of->indices[0][i]));
        output_printf("]");
        break;
    case KIND_PERMUTATION: put_index_json("order", of->indices[0], dim); break;
    case KIND_PIXELWISE_LINEAR:
        output_printf(", \"pixels\": %" PRIu32 ", \"channels\": %" PRIu32 ", \"log_det\": %.17g", of->pixelwise.pixels,
                      of->pixelwise.channels, of->pixelwise.log_det);
        break;
    default: output_printf(", \"log_det\": %.17g", of->constant.log_det); break;
    }
    output_printf("}");
}

void describe_json(const model *flow) {
    const flowrt_model_info *info = &flow->info;
    output_printf("{\"dim\": %" PRIu32 ", \"context_dim\": %" PRIu32 ", \"bytes\": %zu, \"format\": \"%" PRIu32
                  ".%" PRIu32 "\", \"parameters\": %" PRIu64 ", \"workspace_bytes\": {\"least\": %zu, \"most\": %zu}"
                  ", \"gradient_workspace_bytes\": {\"least\": %zu, \"most\": %zu}, \"plan_bytes\": %zu",
                  info->dim, info->context_dim, flow->size, info->format_version / 100, info->format_version % 100,
                  info->parameter_count, flowrt_workspace_size(&flow->view, 1),
                  flowrt_workspace_size(&flow->view, SIZE_MAX), flowrt_gradient_workspace_size(&flow->view, 1),
                  flowrt_gradient_workspace_size(&flow->view, SIZE_MAX), flowrt_plan_size(&flow->view));
    layout at = layout_begin(flow);
    static part found;
    bool in_steps = false, any = false;
    while (layout_next(&at, &found)) {
        if (found.step.kind == KIND_ENCODER) {
            output_printf(", \"encoder\": ");
            put_layers_json(&found);
            continue;
        }
        if (!in_steps) output_printf(", \"steps\": [");
        in_steps = true;
        if (found.step.kind == KIND_BASE) {
            output_printf("], \"base\": \"%s\"", WORD(bases, found.step.density));
        } else {
            output_printf("%s", any ? ", " : "");
            any = true;
            put_step_json(&found, info->dim);
        }
    }
    output_printf(", \"metadata\": ");
    if (flow->metadata.begin)
        output_write(flow->metadata.begin, (size_t)(flow->metadata.end - flow->metadata.begin));
    else
        output_printf("{}");
    output_printf("}\n");
}
