#include "flow.h"
#include "check.h"
#include <math.h>
#include "random.h"

/* ---- bytes ---- */

typedef struct buffer {
    uint8_t *bytes;
    size_t size, room;
} buffer;

static void append(buffer *b, const void *data, size_t size) {
    if (b->size + size > b->room) {
        b->room = 2 * (b->size + size);
        b->bytes = realloc(b->bytes, b->room);
        CHECK(b->bytes != NULL, "out of memory: %zu bytes", b->room);
    }
    memcpy(b->bytes + b->size, data, size);
    b->size += size;
}

static void append_u32(buffer *b, uint32_t value) { append(b, &value, sizeof value); }
static void append_f32(buffer *b, float value) { append(b, &value, sizeof value); }

static void end_block(buffer *b) {
    while (b->size % 64) append(b, &(uint8_t){0}, 1);
}

static void set_u16(uint8_t *record, size_t offset, uint16_t value) { memcpy(record + offset, &value, sizeof value); }
static void set_u32(uint8_t *record, size_t offset, uint32_t value) { memcpy(record + offset, &value, sizeof value); }
static void set_u64(uint8_t *record, size_t offset, uint64_t value) { memcpy(record + offset, &value, sizeof value); }

/* ---- degrees (docs/FORMAT.md, section 3) ---- */

typedef struct builder {
    buffer records, blocks;
    random_source random;
    uint32_t dim, context_dim;
    uint32_t features;
} builder;

typedef struct conditioner {
    const step_spec *spec;
    uint32_t stage_count;
    const uint32_t *stage_end;
    uint32_t width[MAX_LAYERS];
    int context_only[MAX_LAYERS];
} conditioner;

static int is_mixture(const step_spec *step) {
    return step->kind == RECORD_BASE && step->reads == AUTOREGRESSIVE_MIXTURE;
}

/* Whether layer i yields the parameters of ranks. */
static int is_output(const conditioner *c, uint32_t i) {
    return (c->spec->kind == RECORD_AUTOREGRESSIVE || is_mixture(c->spec)) && i + 1u == c->spec->layer_count;
}

/* Parameters of each rank (docs/FORMAT.md, sections 5 and 2.7). */
static uint32_t outputs_per_rank(const step_spec *step) {
    const uint32_t k = step->bins, derivatives = k + (step->form >> 4 & 3 ? 1 : -1u) - (step->form >> 5 & 1);
    if (is_mixture(step)) return 3 * k;
    if (step->transformer != SPLINE) return step->transformer == AFFINE ? 2 : 1;
    switch (step->form >> 7) {
    case LINEAR_PIECES: return k;
    case QUADRATIC_PIECES: return k + derivatives;
    case LINEAR_RATIONAL_PIECES: return 3 * k + derivatives;
    case CUBIC_PIECES: return 2 * k + 2;
    default: return 2 * k + derivatives;
    }
}

/* Degree of unit u of layer i; outputs have the degree of their rank's stage. */
static uint32_t degree(const conditioner *c, uint32_t i, uint32_t u) {
    if (is_output(c, i)) {
        const uint32_t rank = c->spec->passthrough + u / outputs_per_rank(c->spec);
        uint32_t stage = 0;
        while (rank >= c->stage_end[stage]) stage++;
        return stage;
    }
    const uint32_t g = (uint32_t)((uint64_t)u * c->stage_count / c->width[i]) + c->spec->layers[i].later;
    if (c->spec->layers[i].operation != DENSE) return c->stage_count - 1; /* all at once */
    return c->context_only[i] ? 0 : g < c->stage_count ? g : c->stage_count - 1;
}

/* Units of layer i with a degree of at most g. */
static uint32_t degree_end(const conditioner *c, uint32_t i, uint32_t g) {
    uint32_t end = 0;
    while (end < c->width[i] && degree(c, i, end) <= g) end++;
    return end;
}

static uint32_t visible(const conditioner *c, uint16_t source, uint32_t g) {
    if (source == READ_SIDE) return g == 0 ? 0 : c->stage_end[g - 1];
    return degree_end(c, source - 2u, g);
}

/* ---- blocks ---- */

static float amplitude(uint32_t inputs, float gain) {
    uint32_t root = 1;
    while (root * root < inputs) root++;
    return gain / (float)root;
}

/* Weight panels of layer i over `source`, or over all of `context` values if source is NONE. */
static void append_panels(builder *b, const conditioner *c, uint32_t i, uint16_t source, uint32_t context, float gain) {
    const uint32_t width = c->width[i];
    for (uint32_t first = 0; first < width; first += 16) {
        const uint32_t last = first + 15 < width ? first + 15 : width - 1;
        const uint32_t inputs = source == NONE ? context : visible(c, source, degree(c, i, last));
        const float scale = amplitude(inputs, gain);
        uint32_t seen[16] = {0};
        for (uint32_t u = first; u <= last; u++)
            seen[u - first] = source == NONE ? inputs : visible(c, source, degree(c, i, u));
        for (uint32_t k = 0; k < inputs; k++)
            for (uint32_t j = 0; j < 16; j++)
                append_f32(&b->blocks, k < seen[j] ? scale * random_float(&b->random) : 0.0f);
    }
    end_block(&b->blocks);
}

static void append_random(builder *b, uint32_t count, float center, float spread) {
    for (uint32_t k = 0; k < count; k++) append_f32(&b->blocks, center + spread * random_float(&b->random));
    end_block(&b->blocks);
}

/* The first `used` of a random order of `count` numbers. */
static void append_some(builder *b, uint32_t used, uint32_t count) {
    uint32_t *index = must_allocate(count * sizeof *index);
    for (uint32_t k = 0; k < count; k++) index[k] = k;
    for (uint32_t k = count; k > 1; k--) {
        const uint32_t j = random_below(&b->random, k), held = index[k - 1];
        index[k - 1] = index[j];
        index[j] = held;
    }
    append(&b->blocks, index, used * sizeof *index);
    end_block(&b->blocks);
    free(index);
}

static void append_permutation(builder *b, uint32_t count) { append_some(b, count, count); }

/* ---- plane layers (docs/FORMAT.md, section 4.3) ---- */

/* Panels of `units` units, each with `lines` weights. */
static void append_full_panels(builder *b, uint32_t units, uint32_t lines, float gain) {
    const float scale = amplitude(lines, gain);
    for (uint32_t first = 0; first < units; first += 16)
        for (uint32_t k = 0; k < lines; k++)
            for (uint32_t u = first; u < first + 16; u++)
                append_f32(&b->blocks, u < units ? scale * random_float(&b->random) : 0.0f);
    end_block(&b->blocks);
}

static uint32_t places(uint32_t length, uint32_t kernel, uint32_t stride, uint32_t dilation) {
    return (length - dilation * (kernel - 1) - 1) / stride + 1;
}

static uint32_t plane_units(const plane_spec *p) {
    const uint32_t height = (uint32_t)p->height + p->pad[0] + p->pad[1], width = (uint32_t)p->width + p->pad[2] + p->pad[3];
    return places(height, p->kernel[0], p->stride[0], p->dilation[0]) *
           places(width, p->kernel[1], p->stride[1], p->dilation[1]) * p->channels;
}

/* Every fifth unit is none. `inputs`: units that it sees. */
static void append_gather(builder *b, uint32_t width, uint32_t inputs) {
    for (uint32_t u = 0; u < width; u++) append_u32(&b->blocks, u % 5 == 3 ? 0xffffffffu : random_below(&b->random, inputs));
    end_block(&b->blocks);
}

/* The blocks behind degree_end. */
static void append_plane(builder *b, const conditioner *c, uint32_t i, float gain) {
    const layer_spec *layer = &c->spec->layers[i];
    const plane_spec *p = &layer->plane;
    b->features = 1;
    if (layer->operation == GATHER) {
        append_gather(b, c->width[i], layer->source == NONE ? b->context_dim : visible(c, layer->source, degree(c, i, 0)));
        return;
    }
    CHECK(plane_units(p) == c->width[i], "%u units, not %u", plane_units(p), c->width[i]);
    if (layer->operation == MAX_POOLING) return;
    const uint32_t taps = (uint32_t)p->kernel[0] * p->kernel[1];
    append_random(b, p->channels, 0.0f, 0.3f);
    if (layer->source && layer->context) append_full_panels(b, p->channels, b->context_dim, gain);
    append_full_panels(b, p->channels, layer->operation == CONVOLUTION ? taps * p->in_channels : taps, gain);
}

/* ---- records ---- */

static void append_layer(builder *b, conditioner *c, uint32_t i) {
    const layer_spec *layer = &c->spec->layers[i];
    c->width[i] = is_output(c, i) ? outputs_per_rank(c->spec) * (b->dim - c->spec->passthrough) : layer->width;
    c->context_only[i] = layer->source == NONE || (layer->source != READ_SIDE && c->context_only[layer->source - 2]);
    for (int j = 0; j < 3; j++)
        if (layer->add[j] && !c->context_only[layer->add[j] - 2]) c->context_only[i] = 0;
    if (layer->gate && !c->context_only[layer->gate - 2]) c->context_only[i] = 0;

    uint8_t record[64] = {0};
    set_u16(record, 0, RECORD_LAYER);
    set_u16(record, 2, layer->activation);
    set_u32(record, 4, c->width[i]);
    set_u16(record, 8, layer->source);
    set_u16(record, 10, layer->context);
    set_u16(record, 12, layer->gate);
    for (size_t j = 0; j < 3; j++) set_u16(record, 14 + 2 * j, layer->add[j]);
    set_u16(record, 20, layer->scaled);
    set_u16(record, 22, layer->operation);
    memcpy(record + 24, &layer->a, sizeof layer->a);
    memcpy(record + 28, &layer->plane, sizeof layer->plane);
    append(&b->records, record, sizeof record);

    if (!is_output(c, i)) {
        for (uint32_t g = 0; g < c->stage_count; g++) append_u32(&b->blocks, degree_end(c, i, g));
        end_block(&b->blocks);
    }
    const float gain = is_output(c, i) ? 0.8f : 1.7f;
    if (layer->operation != DENSE) {
        append_plane(b, c, i, gain);
        return;
    }
    append_random(b, c->width[i], 0.0f, 0.3f);
    for (int j = 0; j < 3; j++)
        if (layer->scaled >> j & 1) append_random(b, c->width[i], 1.0f, 0.5f);
    if (layer->context) append_panels(b, c, i, NONE, layer->context == CONTEXT ? b->context_dim : c->width[layer->context - 2], gain);
    if (layer->source) append_panels(b, c, i, layer->source, 0, gain);
}

/* A step, or the base that has a conditioner with stages. */
static void append_autoregressive(builder *b, const step_spec *step) {
    conditioner c = {.spec = step, .stage_count = step->stages ? step->stages : b->dim};
    uint32_t *stage_end = must_allocate(c.stage_count * sizeof *stage_end);
    for (uint32_t s = 0; s < c.stage_count; s++) stage_end[s] = (uint32_t)((uint64_t)(s + 1) * b->dim / c.stage_count);
    c.stage_end = stage_end;

    uint8_t record[64] = {0};
    set_u16(record, 0, step->kind);
    set_u16(record, 2, step->reads);
    set_u32(record, 4, c.stage_count);
    set_u32(record, 8, step->passthrough);
    set_u16(record, 12, step->layer_count);
    set_u16(record, 14, step->transformer);
    set_u16(record, 16, step->form);
    set_u16(record, 18, step->scale);
    set_u32(record, 20, step->bins);
    memcpy(record + 24, step->p, sizeof step->p);
    append(&b->records, record, sizeof record);

    append_permutation(b, b->dim);
    if (step->kind == RECORD_AUTOREGRESSIVE) append_permutation(b, b->dim);
    append(&b->blocks, stage_end, c.stage_count * sizeof *stage_end);
    end_block(&b->blocks);
    for (uint32_t i = 0; i < step->layer_count; i++) append_layer(b, &c, i);
    free(stage_end);
}

/* Layers that see the context alone; what follows sees the outputs of the last. */
static void append_encoder(builder *b, const step_spec *step) {
    conditioner c = {.spec = step, .stage_count = 1};
    uint8_t record[64] = {0};
    set_u16(record, 0, RECORD_ENCODER);
    set_u16(record, 12, step->layer_count);
    append(&b->records, record, sizeof record);
    for (uint32_t i = 0; i < step->layer_count; i++) append_layer(b, &c, i);
    b->context_dim = c.width[step->layer_count - 1];
}

/* Scales are powers of two, so that log_det needs no logarithm here. */
static void append_diagonal(builder *b) {
    static const float scales[] = {0.5f, -2.0f, 1.0f, 2.0f, -0.5f, 4.0f, -1.0f};
    static const int exponents[] = {-1, 1, 0, 1, -1, 2, 0};
    int exponent = 0;
    for (uint32_t k = 0; k < b->dim; k++) {
        append_f32(&b->blocks, scales[k % 7]);
        exponent += exponents[k % 7];
    }
    end_block(&b->blocks);
    append_random(b, b->dim, 0.0f, 1.0f);

    uint8_t record[64] = {0};
    const double log_det = exponent * 0.69314718055994530942;
    set_u16(record, 0, RECORD_DIAGONAL);
    memcpy(record + 8, &log_det, sizeof log_det);
    append(&b->records, record, sizeof record);
}

/* M = 2 (I + S / 2) with ones of S above the diagonal, and its inverse, whose entries are powers of two. */
static void append_matrices(builder *b, uint32_t size) {
    for (int inverse = 0; inverse < 2; inverse++) {
        for (uint32_t panel = 0; panel < (size + 15) / 16; panel++)
            for (uint32_t k = 0; k < size; k++)
                for (uint32_t i = 16 * panel; i < 16 * panel + 16; i++) {
                    float value = 0;
                    if (i < size && inverse && k >= i) value = (float)ldexp((k - i) % 2 ? -0.5 : 0.5, -(int)(k - i));
                    if (i < size && !inverse && k == i) value = 2;
                    if (i < size && !inverse && k == i + 1) value = 1;
                    append_f32(&b->blocks, value);
                }
    }
    append_random(b, size, 0.0f, 1.0f);
}

static void append_pixelwise(builder *b, const step_spec *step) {
    const uint32_t units = step->stages * step->bins;
    uint8_t record[64] = {0};
    const double log_det = units * 0.69314718055994530942;
    set_u16(record, 0, RECORD_PIXELWISE_LINEAR);
    set_u32(record, 4, step->bins);
    memcpy(record + 8, &log_det, sizeof log_det);
    set_u32(record, 16, step->stages);
    append(&b->records, record, sizeof record);
    append_some(b, units, b->dim);
    append_matrices(b, step->bins);
    b->features = 1;
}

static void append_linear(builder *b) {
    append_matrices(b, b->dim);
    uint8_t record[64] = {0};
    const double log_det = b->dim * 0.69314718055994530942;
    set_u16(record, 0, RECORD_LINEAR);
    memcpy(record + 8, &log_det, sizeof log_det);
    append(&b->records, record, sizeof record);
}

static void append_permutation_step(builder *b) {
    uint8_t record[64] = {0};
    set_u16(record, 0, RECORD_PERMUTATION);
    append(&b->records, record, sizeof record);
    append_permutation(b, b->dim);
}

/* Functions from all numbers into an interval, a half-line or all numbers, or (`reads` 1) their inverses. */
static void append_elementwise(builder *b, const step_spec *step) {
    static const struct {
        uint32_t function, inverse;
        float a, b;
    } maps[] = {{0, 0, 0, 0}, {4, 1, -1, 2}, {5, 2, 0.5f, 0}, {8, 9, 0.25f, 0}, {9, 8, 0.5f, 0}, {10, 11, 3, 0}};
    enum { MAPS = sizeof maps / sizeof *maps };
    uint8_t record[64] = {0};
    set_u16(record, 0, RECORD_ELEMENTWISE);
    append(&b->records, record, sizeof record);
    /* Two of each in turn, so that equal ones are neighbours. */
    for (uint32_t i = 0; i < b->dim; i++)
        append_u32(&b->blocks, step->reads ? maps[i / 2 % MAPS].inverse : maps[i / 2 % MAPS].function);
    end_block(&b->blocks);
    for (uint32_t i = 0; i < b->dim; i++) append_f32(&b->blocks, maps[i / 2 % MAPS].a);
    end_block(&b->blocks);
    for (uint32_t i = 0; i < b->dim; i++) append_f32(&b->blocks, maps[i / 2 % MAPS].b);
    end_block(&b->blocks);
}

/* The record of the base comes last: its layers follow it. */
static void append_base(builder *b, const step_spec *step) {
    if (step->reads == AUTOREGRESSIVE_MIXTURE) {
        append_autoregressive(b, step);
        return;
    }
    conditioner c = {.spec = step, .stage_count = 1};
    uint8_t record[64] = {0};
    set_u16(record, 0, RECORD_BASE);
    set_u16(record, 2, step->reads);
    set_u16(record, 12, step->layer_count);
    set_u32(record, 20, step->bins);
    append(&b->records, record, sizeof record);
    switch (step->reads) {
    case DIAGONAL_NORMAL:
        append_random(b, b->dim, 0.0f, 1.0f);
        append_random(b, b->dim, 1.0f, 0.5f);
        break;
    case BOX_UNIFORM:
        append_random(b, b->dim, -20.0f, 1.0f);
        append_random(b, b->dim, 20.0f, 1.0f);
        break;
    case NORMAL_MIXTURE:
        append_random(b, step->bins, 0.0f, 1.0f);
        for (uint32_t k = 0; k < step->bins; k++) {
            append_random(b, b->dim, 0.0f, 2.0f);
            append_random(b, b->dim, 1.0f, 0.5f);
        }
        break;
    default:
        for (uint32_t i = 0; i < step->layer_count; i++) append_layer(b, &c, i);
    }
}

/* ---- the file ---- */

flow_file flow_build(const flow_spec *spec, uint64_t seed) {
    builder b = {.random = {seed}, .dim = spec->dim, .context_dim = spec->context_dim};
    const uint8_t standard_base[64] = {RECORD_BASE};
    int has_base = 0;
    for (const step_spec *step = spec->steps; step < spec->steps + MAX_STEPS && step->kind; step++) {
        switch (step->kind) {
        case RECORD_AUTOREGRESSIVE: append_autoregressive(&b, step); break;
        case RECORD_ENCODER: append_encoder(&b, step); break;
        case RECORD_DIAGONAL: append_diagonal(&b); break;
        case RECORD_LINEAR: append_linear(&b); break;
        case RECORD_PERMUTATION: append_permutation_step(&b); break;
        case RECORD_ELEMENTWISE: append_elementwise(&b, step); break;
        case RECORD_PIXELWISE_LINEAR: append_pixelwise(&b, step); break;
        case RECORD_BASE:
            append_base(&b, step);
            has_base = 1;
            break;
        default: check_failed(__FILE__, __LINE__, "%s: no step of kind %u", spec->name, step->kind);
        }
    }
    if (!has_base) append(&b.records, standard_base, sizeof standard_base);

    const char metadata[] = "{\"flowrt\":\"test\"}";
    uint8_t header[64] = {0x89, 'F', 'L', 'W', '\r', '\n', 0x1a, '\n'};
    flow_file file = {.size = sizeof header + b.records.size + b.blocks.size + sizeof metadata - 1};
    set_u16(header, 8, 1);
    set_u64(header, 16, file.size);
    set_u32(header, 24, b.features);
    set_u32(header, 28, spec->dim);
    set_u32(header, 32, spec->context_dim);
    set_u32(header, 36, (uint32_t)(b.records.size / 64));
    set_u64(header, 40, sizeof metadata - 1);

    file.bytes = must_allocate(file.size);
    uint8_t *at = file.bytes;
    memcpy(at, header, sizeof header);
    memcpy(at += sizeof header, b.records.bytes, b.records.size);
    if (b.blocks.size) memcpy(at + b.records.size, b.blocks.bytes, b.blocks.size);
    memcpy(at + b.records.size + b.blocks.size, metadata, sizeof metadata - 1);
    free(b.records.bytes);
    free(b.blocks.bytes);
    flow_seal(file);
    return file;
}

void flow_free(flow_file file) { free(file.bytes); }

void flow_seal(flow_file file) {
    set_u32(file.bytes, 12, 0);
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < file.size; i++) {
        crc ^= file.bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    set_u32(file.bytes, 12, ~crc);
}

int flow_open_level(flowrt_model *model, flow_file file, uint32_t level) {
    flowrt_error_detail detail;
    const flowrt_status status =
        flowrt_model_open(model, file.bytes, file.size, FLOWRT_OPEN_VERIFY | FLOWRT_OPEN_LEVEL(level), &detail);
    CHECK(status == FLOWRT_OK, "refused: %s, record %d, byte %llu: expected %llu, found %llu", status_name(status),
          detail.record, (unsigned long long)detail.offset, (unsigned long long)detail.expected,
          (unsigned long long)detail.found);
    flowrt_model_info info = FLOWRT_MODEL_INFO_INIT;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_get_info(model, &info));
    return info.cpu_level == level;
}

void for_each_flow(void (*test)(const flow_spec *spec, const flowrt_model *model, uint32_t level)) {
    const char *every = getenv("FLOWRT_EVERY_FLOW");
    const size_t stride = every ? strtoul(every, NULL, 10) : 1;
    CHECK(stride > 0, "FLOWRT_EVERY_FLOW=%s", every);
    for (uint32_t level = 1; level <= HIGHEST_LEVEL; level++) {
        size_t runs = 0;
        for (size_t i = 0; i < flow_case_count; i += stride) {
            const flow_file file = flow_build(&flow_cases[i], i);
            flowrt_model model;
            if (flow_open_level(&model, file, level)) {
                test(&flow_cases[i], &model, level);
                runs++;
            }
            flow_free(file);
        }
        if (runs) printf("kernel level %u: %zu flows\n", level, runs);
    }
}

int level_has_fma(uint32_t level) {
#ifdef __x86_64__
    return level >= 2;
#else
    return level >= 1;
#endif
}
