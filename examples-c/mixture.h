/* Mixtures of flows, as flowrt.save_mixture writes them: ensembles of posteriors, clusters. One header on top of flowrt.h;
 * copy it. docs/MIXTURES.md has the file. The bytes stand on FLOWRT_ALIGNMENT bytes, and so do all members in them.
 *
 *   flow_mixture mixture;
 *   status = flow_mixture_open(&mixture, bytes, size);
 *   status = flow_mixture_log_prob(&mixture, x, context, &log_prob, workspace, workspace_size);
 *   status = flow_mixture_sample(&mixture, &rng, context, x, workspace, workspace_size);
 *
 * Draw k of (seed, stream) is that of the same member, and has the same bits, as Mixture.sample gives in Python. */
#ifndef FLOW_MIXTURE_H
#define FLOW_MIXTURE_H

#include <flowrt.h>

#include <math.h>
#include <string.h>

enum { FLOW_MIXTURE_MOST = 256 }; /* members */

typedef struct {
    size_t count;
    uint32_t dim, context_dim;
    double weight[FLOW_MIXTURE_MOST];
    flowrt_model member[FLOW_MIXTURE_MOST];
} flow_mixture;

static inline uint64_t flow_mixture_number(const unsigned char *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = count; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

/* Opens all members. FLOWRT_ERR_MAGIC: no mixture; FLOWRT_ERR_LIMIT: more members than FLOW_MIXTURE_MOST;
 * FLOWRT_ERR_MALFORMED: members of different dim or context_dim, weights that are none; or what a member is refused for. */
static inline flowrt_status flow_mixture_open(flow_mixture *mixture, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    if (size < 64 || memcmp(bytes, "\x89" "FLM\r\n\x1a\n", 8) != 0)
        return FLOWRT_ERR_MAGIC;
    if (flow_mixture_number(bytes + 8, 4) != 1)
        return FLOWRT_ERR_VERSION;
    mixture->count = (size_t)flow_mixture_number(bytes + 12, 4);
    if (mixture->count == 0)
        return FLOWRT_ERR_MALFORMED;
    if (mixture->count > FLOW_MIXTURE_MOST)
        return FLOWRT_ERR_LIMIT;
    size_t start = 64 * (1 + mixture->count);
    if (start > size)
        return FLOWRT_ERR_TRUNCATED;
    double sum = 0;
    for (size_t i = 0; i < mixture->count; i++) {
        const unsigned char *entry = bytes + 64 * (1 + i);
        const uint64_t bits = flow_mixture_number(entry, 8), length = flow_mixture_number(entry + 8, 8);
        memcpy(&mixture->weight[i], &bits, sizeof bits);
        sum += mixture->weight[i];
        if (length > size - start)
            return FLOWRT_ERR_TRUNCATED;
        flowrt_status status =
            flowrt_model_open(&mixture->member[i], bytes + start, (size_t)length, FLOWRT_OPEN_VERIFY, NULL);
        if (status != FLOWRT_OK)
            return status;
        flowrt_model_info info = FLOWRT_MODEL_INFO_INIT;
        flowrt_model_get_info(&mixture->member[i], &info);
        if (i == 0) {
            mixture->dim = info.dim;
            mixture->context_dim = info.context_dim;
        }
        if (info.dim != mixture->dim || info.context_dim != mixture->context_dim || !(mixture->weight[i] >= 0))
            return FLOWRT_ERR_MALFORMED;
        start += (size_t)((length + 63) / 64 * 64);
        if (start > size)
            return FLOWRT_ERR_TRUNCATED;
    }
    return start == size && fabs(sum - 1) < 1e-9 ? FLOWRT_OK : FLOWRT_ERR_MALFORMED;
}

/* Bytes of workspace for any member and `count` rows. */
static inline size_t flow_mixture_workspace_size(const flow_mixture *mixture, size_t count)
{
    size_t most = 0;
    for (size_t i = 0; i < mixture->count; i++) {
        const size_t own = flowrt_workspace_size(&mixture->member[i], count);
        most = own > most ? own : most;
    }
    return most;
}

/* log sum_i weight_i p_i(x | context), of one row. `context` is NULL for a mixture without. */
static inline flowrt_status flow_mixture_log_prob(const flow_mixture *mixture, const float *x, const float *context,
                                                  float *log_prob, void *workspace, size_t workspace_size)
{
    double largest = -INFINITY, sum = 0;
    flowrt_status worst = FLOWRT_OK;
    for (size_t i = 0; i < mixture->count; i++) {
        float own = 0;
        const flowrt_status status = flowrt_log_prob(&mixture->member[i], 1, x, context, context ? 1 : 0, &own, workspace,
                                                     workspace_size);
        if (status != FLOWRT_OK && status != FLOWRT_ERR_NONFINITE)
            return status;
        worst = status != FLOWRT_OK ? status : worst;
        const double term = log(mixture->weight[i]) + (double)own;
        if (term > largest) { /* the sum so far, relative to the new largest term */
            sum = sum * exp(largest - term) + 1;
            largest = term;
        } else if (term > -INFINITY) {
            sum += exp(term - largest);
        } else if (isnan(term)) {
            sum = term;
        }
    }
    *log_prob = largest > -INFINITY || isnan(sum) ? (float)(largest + log(sum)) : -INFINITY;
    return worst;
}

static inline uint64_t flow_mixture_mixed(uint64_t bits)
{
    bits = (bits ^ bits >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    bits = (bits ^ bits >> 27) * UINT64_C(0x94D049BB133111EB);
    return bits ^ bits >> 31;
}

/* The member of the draw that `rng` stands at. */
static inline size_t flow_mixture_choice(const flow_mixture *mixture, const flowrt_rng *rng)
{
    uint64_t state = flow_mixture_mixed(rng->seed + UINT64_C(0x9E3779B97F4A7C15));
    state = flow_mixture_mixed(rng->stream + state);
    const uint64_t bits = flow_mixture_mixed(flow_mixture_mixed(rng->index + state));
    const double uniform = (double)(bits >> 11) * 0x1p-53;
    double cumulated = 0;
    size_t last = 0;
    for (size_t i = 0; i < mixture->count; i++) {
        cumulated += mixture->weight[i];
        if (mixture->weight[i] > 0)
            last = i;
        if (uniform < cumulated)
            return i;
    }
    return last;
}

/* Draws one row of a member that is chosen by the weights, and advances `rng`. */
static inline flowrt_status flow_mixture_sample(const flow_mixture *mixture, flowrt_rng *rng, const float *context,
                                                float *x, void *workspace, size_t workspace_size)
{
    const flowrt_model *member = &mixture->member[flow_mixture_choice(mixture, rng)];
    return flowrt_sample(member, 1, rng, context, context ? 1 : 0, x, NULL, workspace, workspace_size);
}

#endif /* FLOW_MIXTURE_H */
