#include "layout.h"

#include "failure.h"

#include <string.h>

enum { LINE = 64, PANEL = 16 };

layout layout_begin(const model *flow) {
    flowrt_file_header header;
    memcpy(&header, flow->data, sizeof header);
    return (layout){.flow = flow, .block = LINE * (1 + (size_t)header.record_count), .context = header.context_dim};
}

/* The next block: an array of `count` floats or whole numbers. */
static const uint32_t *take(layout *at, size_t count) {
    const void *block = at->flow->data + at->block;
    at->block += (4 * count + LINE - 1) / LINE * LINE;
    return block;
}

/* What the layers of one record share. */
typedef struct network {
    const uint32_t *stage_end; /* NULL where all units have degree 0 */
    size_t stages;
    size_t rows_of_rank, first_rank; /* of an output layer that is without degree_end; else rows_of_rank is 0 */
    size_t width[MOST_LAYERS];
    const uint32_t *degree_end[MOST_LAYERS];
} network;

/* Units of a source (section 4) that a unit of this degree sees. */
static size_t visible(const network *net, size_t source, size_t degree) {
    if (source >= 2) return net->degree_end[source - 2][degree];
    return degree ? net->stage_end[degree - 1] : 0;
}

/* Passes the weight panels over visible prefixes. */
static void pass_panels(layout *at, const network *net, const flowrt_layer_record *layer, const uint32_t *degree_end) {
    size_t degree = 0;
    for (size_t first = 0; first < layer->width; first += PANEL) {
        size_t last = first + PANEL <= layer->width ? first + PANEL - 1 : layer->width - 1;
        if (degree_end)
            while (degree_end[degree] <= last) degree++;
        else
            while (net->stage_end[degree] <= net->first_rank + last / net->rows_of_rank) degree++;
        at->block += visible(net, layer->source, degree) * PANEL * sizeof(float);
    }
}

/* Passes the panels of so many units that all have as many weights. */
static void pass_full_panels(layout *at, size_t units, size_t lines) {
    at->block += (units + PANEL - 1) / PANEL * lines * PANEL * sizeof(float);
}

/* The blocks of a plane layer behind its degrees (section 4.3). `context`: floats of what its context names. */
static void pass_plane(layout *at, const flowrt_layer_record *layer, size_t context) {
    size_t taps = (size_t)layer->kernel[0] * layer->kernel[1];
    switch (layer->operation) {
    case CONVOLUTION:
    case DEPTHWISE_CONVOLUTION:
        take(at, layer->channels); /* bias */
        if (layer->source && layer->context) pass_full_panels(at, layer->channels, context);
        pass_full_panels(at, layer->channels, layer->operation == CONVOLUTION ? taps * layer->in_channels : taps);
        break;
    case GATHER: take(at, layer->width); break;
    case MAX_POOLING: break; /* which has no blocks */
    default: fail("this program knows no operation %u of a layer, which the library reads", layer->operation);
    }
}

static void pass_layer(layout *at, network *net, const flowrt_layer_record *layer, size_t index, bool is_output) {
    bool has_degrees = !(is_output && net->rows_of_rank);
    const uint32_t *degree_end = has_degrees ? take(at, net->stages) : NULL;
    net->width[index] = layer->width;
    net->degree_end[index] = degree_end;
    size_t columns = layer->context >= 2 ? net->width[layer->context - 2] : at->context;
    if (layer->operation != DENSE) {
        pass_plane(at, layer, columns);
        return;
    }
    take(at, layer->width); /* bias */
    for (int j = 0; j < 3; j++)
        if (layer->scaled >> j & 1) take(at, layer->width);
    if (layer->context) pass_full_panels(at, layer->width, columns);
    if (layer->source) pass_panels(at, net, layer, degree_end);
}

static void pass_blocks(layout *at, part *found) {
    const size_t dim = at->flow->info.dim;
    const flowrt_step_record *step = &found->step;
    network net = {.stages = 1};
    switch (step->kind) {
    case KIND_AUTOREGRESSIVE:
        found->indices[0] = take(at, dim);
        found->indices[1] = take(at, dim);
        net.stages = step->stage_count;
        net.stage_end = take(at, net.stages);
        net.first_rank = step->passthrough;
        net.rows_of_rank = found->layers[found->layer_count - 1].width / (dim - step->passthrough);
        break;
    case KIND_LINEAR:
        pass_full_panels(at, dim, 2 * dim);
        take(at, dim);
        return;
    case KIND_PIXELWISE_LINEAR:
        take(at, (size_t)found->pixelwise.pixels * found->pixelwise.channels);
        pass_full_panels(at, found->pixelwise.channels, 2 * (size_t)found->pixelwise.channels);
        take(at, found->pixelwise.channels);
        return;
    case KIND_PERMUTATION: found->indices[0] = take(at, dim); return;
    case KIND_ELEMENTWISE:
        found->indices[0] = take(at, dim);
        take(at, dim);
        take(at, dim);
        return;
    case KIND_DIAGONAL:
        take(at, dim);
        take(at, dim);
        return;
    case KIND_BASE: return; /* the last one */
    case KIND_ENCODER: break;
    default: fail("this program knows no record of kind %u, which the library reads", step->kind);
    }
    for (size_t i = 0; i < found->layer_count; i++)
        pass_layer(at, &net, &found->layers[i], i, i + 1 == found->layer_count);
    if (step->kind == KIND_ENCODER) at->context = found->layers[found->layer_count - 1].width;
}

bool layout_next(layout *at, part *found) {
    flowrt_file_header header;
    memcpy(&header, at->flow->data, sizeof header);
    if (at->record >= header.record_count) return false;
    const unsigned char *record = at->flow->data + LINE * (1 + at->record);
    memcpy(&found->step, record, LINE);
    memcpy(&found->constant, record, LINE);
    memcpy(&found->pixelwise, record, LINE);
    uint16_t kind = found->step.kind;
    bool has_layers = kind == KIND_AUTOREGRESSIVE || kind == KIND_ENCODER || kind == KIND_BASE;
    found->layer_count = has_layers ? found->step.layer_count : 0;
    for (size_t i = 0; i < found->layer_count; i++) memcpy(&found->layers[i], record + LINE * (1 + i), LINE);
    at->record += 1 + found->layer_count;
    pass_blocks(at, found);
    return true;
}
