/* The iris model on a machine without operating system and without libc: densities and samples, in decimals and in
 * bits. The same file is also built as an ordinary program, whose output must be the same. */
#include "../iris_maf.h"
#include "console.h"
#include <flowrt.h>

static IRIS_MAF_ALIGNED unsigned char workspace[IRIS_MAF_WORKSPACE_BYTES];

static const float flowers[][IRIS_MAF_DIM] = {
    {5.1f, 3.5f, 1.4f, 0.2f}, {6.3f, 3.3f, 6.0f, 2.5f}, {5.1f, 3.5f, 6.0f, 0.2f}};
enum { FLOWERS = sizeof flowers / sizeof *flowers, DRAWS = 50 };

static void write_digits(uint32_t value, uint32_t base, int digits) {
    char text[16];
    int at = sizeof text;
    text[--at] = 0;
    while (digits-- > 0 || value != 0) {
        text[--at] = "0123456789abcdef"[value % base];
        value /= base;
    }
    console_write(text + at);
}

/* "name -12.345 (c1458519)" */
static void write_value(const char *name, float value) {
    union {
        float value;
        uint32_t bits;
    } cast = {value};
    const float size = value < 0 ? -value : value;
    const uint32_t thousandths = size < 4e6f ? (uint32_t)(size * 1000 + 0.5f) : UINT32_MAX;
    console_write(name);
    console_write(value < 0 ? " -" : " ");
    write_digits(thousandths / 1000, 10, 1);
    console_write(".");
    write_digits(thousandths % 1000, 10, 3);
    console_write(" (");
    write_digits(cast.bits, 16, 8);
    console_write(")\n");
}

static int failed(const char *what, flowrt_status status) {
    if (status == FLOWRT_OK) return 0;
    console_write(what);
    console_write(": ");
    console_write(flowrt_status_message(status));
    console_write("\n");
    return 1;
}

int main(void) {
    flowrt_model model;
    if (failed("open", flowrt_model_open(&model, iris_maf, IRIS_MAF_SIZE, FLOWRT_OPEN_VERIFY, NULL))) return 1;

    float log_p[FLOWERS];
    if (failed("log_prob", flowrt_log_prob(&model, FLOWERS, flowers[0], NULL, 0, log_p, workspace, sizeof workspace)))
        return 1;
    for (int i = 0; i < FLOWERS; i++) write_value("log p", log_p[i]);

    static float x[DRAWS * IRIS_MAF_DIM];
    flowrt_rng rng = {1, 0, 0};
    if (failed("sample", flowrt_sample(&model, DRAWS, &rng, NULL, 0, x, NULL, workspace, sizeof workspace))) return 1;
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) write_value("x", x[i]);
    return 0;
}
