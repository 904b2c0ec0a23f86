/* flowrt.h is C99, C11, C17 and C++11, and its structs have the layout that bindings in other languages rely on. */
#include <flowrt.h>
#include <flowrt_file.h> /* and flowrt_check.h */

#define HOLDS(name, condition) typedef char holds_##name[(condition) ? 1 : -1]
#define AT(type, field, offset) HOLDS(type##_##field, offsetof(type, field) == (offset))

HOLDS(status_size, sizeof(flowrt_status) == 4);
HOLDS(status_values, FLOWRT_OK == 0 && FLOWRT_ERR_ARGUMENT == -1 && FLOWRT_ERR_MODEL == -2 &&
                         FLOWRT_ERR_WORKSPACE == -3 && FLOWRT_ERR_ALIGNMENT == -4 && FLOWRT_ERR_NULL == -5 &&
                         FLOWRT_ERR_OVERLAP == -6 && FLOWRT_ERR_CONTEXT_MISSING == -7 &&
                         FLOWRT_ERR_CONTEXT_UNUSED == -8 && FLOWRT_ERR_CONTEXT_ROWS == -9 &&
                         FLOWRT_ERR_COUNT == -40 && FLOWRT_ERR_FLAGS == -41 && FLOWRT_ERR_TRUNCATED == -10 &&
                         FLOWRT_ERR_MAGIC == -11 && FLOWRT_ERR_VERSION == -12 && FLOWRT_ERR_FEATURE == -13 &&
                         FLOWRT_ERR_MALFORMED == -14 && FLOWRT_ERR_LIMIT == -15 && FLOWRT_ERR_CHECKSUM == -16 &&
                         FLOWRT_ERR_VALUE == -17 && FLOWRT_ERR_NONFINITE == -20 && FLOWRT_ERR_GRADIENT == -30);

HOLDS(detail_size, sizeof(flowrt_error_detail) == 32);
AT(flowrt_error_detail, status, 0);
AT(flowrt_error_detail, record, 4);
AT(flowrt_error_detail, offset, 8);
AT(flowrt_error_detail, expected, 16);
AT(flowrt_error_detail, found, 24);

HOLDS(model_size, sizeof(flowrt_model) == 256);
HOLDS(alignment, FLOWRT_ALIGNMENT == 64);
HOLDS(flags, FLOWRT_OPEN_DEFAULT == 0 && FLOWRT_OPEN_VERIFY == 1 && FLOWRT_OPEN_LEVEL(3) == 0x300);

HOLDS(info_size, sizeof(flowrt_model_info) == 56);
AT(flowrt_model_info, struct_size, 0);
AT(flowrt_model_info, dim, 4);
AT(flowrt_model_info, context_dim, 8);
AT(flowrt_model_info, step_count, 12);
AT(flowrt_model_info, format_version, 16);
AT(flowrt_model_info, cpu_level, 20);
AT(flowrt_model_info, parameter_count, 24);
AT(flowrt_model_info, data_size, 32);
AT(flowrt_model_info, metadata_offset, 40);
AT(flowrt_model_info, metadata_size, 48);

HOLDS(rng_size, sizeof(flowrt_rng) == 24);
AT(flowrt_rng, seed, 0);
AT(flowrt_rng, stream, 8);
AT(flowrt_rng, index, 16);

/* Uses every function, so that its declaration is one that can be called. */
flowrt_status call_everything(flowrt_model *model, const void *data, size_t size, float *rows, float *logs,
                              void *scratch);
flowrt_status call_everything(flowrt_model *model, const void *data, size_t size, float *rows, float *logs,
                              void *scratch) {
    flowrt_error_detail detail;
    flowrt_model_info info = FLOWRT_MODEL_INFO_INIT;
    flowrt_rng rng = {1, 0, 0};
    size_t bytes;
    if (flowrt_version_number() == 0 || !flowrt_version_string() || !flowrt_build_info()) return FLOWRT_ERR_VERSION;
    if (flowrt_model_open(model, data, size, FLOWRT_OPEN_VERIFY | FLOWRT_OPEN_LEVEL(1), &detail) != FLOWRT_OK)
        return flowrt_status_message((flowrt_status)detail.status) ? FLOWRT_ERR_MODEL : FLOWRT_OK;
    if (flowrt_model_get_info(model, &info) != FLOWRT_OK) return FLOWRT_ERR_MODEL;
    if (flowrt_model_prepare(model, scratch, flowrt_plan_size(model)) != FLOWRT_OK) return FLOWRT_ERR_MODEL;
    bytes = flowrt_workspace_size(model, 1);
    if (flowrt_forward(model, 1, rows, NULL, 0, rows, logs, scratch, bytes) != FLOWRT_OK) return FLOWRT_ERR_MODEL;
    if (flowrt_inverse(model, 1, rows, NULL, 0, rows, logs, scratch, bytes) != FLOWRT_OK) return FLOWRT_ERR_MODEL;
    if (flowrt_log_prob(model, 1, rows, NULL, 0, logs, scratch, bytes) != FLOWRT_OK) return FLOWRT_ERR_MODEL;
    return flowrt_sample(model, 1, &rng, NULL, 0, rows, logs, scratch, bytes);
}
