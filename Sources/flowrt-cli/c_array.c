/* The command c-array: a model as C source, the same text as that of the Python package (python/flowrt/c_array.py). */
#include "commands.h"

#include "failure.h"
#include "model.h"
#include "output.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Of C up to C23 and C++ up to C++20, as far as they are no reserved names. */
static const char *const keywords =
    " alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class"
    " co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype "
    "default"
    " delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long"
    " mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register"
    " reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch"
    " template this thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using"
    " virtual void volatile wchar_t while xor xor_eq ";

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

static bool is_keyword(const char *name) {
    size_t length = strlen(name);
    for (const char *at = strstr(keywords, name); at; at = strstr(at + 1, name))
        if (at[-1] == ' ' && at[length] == ' ') return true;
    return false;
}

/* Why `name` cannot be that of an array; NULL if it can. */
static const char *fault_of_name(const char *name) {
    if (!*name || name[strspn(name, letters)] || (*name >= '0' && *name <= '9')) return "is not a C identifier";
    if (is_keyword(name)) return "is a keyword of C or C++";
    if (*name == '_') return "begins with an underscore, which is reserved to the implementation";
    if (strncmp(name, "flowrt_", 7) == 0) return "begins with flowrt_, as the names of flowrt.h do";
    return NULL;
}

static void put_definitions(const model *flow, const char *name, const char *upper) {
    const flowrt_model_info *info = &flow->info;
    output_printf("/* A flow of %" PRIu32 " dimensions", info->dim);
    if (info->context_dim) output_printf(" and a context of %" PRIu32, info->context_dim);
    output_printf(", %zu bytes.\n * Include this file in one source file. Made by `flowrt c-array`. */\n", flow->size);
    output_printf("#ifndef %s_FLW_H\n#define %s_FLW_H\n\n", upper, upper);
    output_printf("#define %s_SIZE %zuu\n#define %s_DIM %" PRIu32 "u\n", upper, flow->size, upper, info->dim);
    output_printf("#define %s_CONTEXT_DIM %" PRIu32 "u\n", upper, info->context_dim);
    output_printf(
        "/* flowrt_workspace_size(&model, 1): enough for calls with any number of rows, which are faster with "
        "more. */\n#define %s_WORKSPACE_BYTES %zuu\n",
        upper, flowrt_workspace_size(&flow->view, 1));
    output_printf(
        "/* flowrt_gradient_workspace_size(&model, 1), the same for flowrt_log_prob_gradient. */\n"
        "#define %s_GRADIENT_WORKSPACE_BYTES %zuu\n",
        upper, flowrt_gradient_workspace_size(&flow->view, 1));
    output_printf("/* flowrt_plan_size(&model): for flowrt_model_prepare. */\n#define %s_PLAN_BYTES %zuu\n\n", upper,
                  flowrt_plan_size(&flow->view));
    output_printf(
        "/* Stands before `static` (C++ asks for it). */\n#if defined(__cplusplus) && __cplusplus >= 201103L\n"
        "#define %s_ALIGNED alignas(64)\n",
        upper);
    output_printf("#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L\n#define %s_ALIGNED _Alignas(64)\n",
                  upper);
    output_printf("#else\n#define %s_ALIGNED __attribute__((aligned(64)))\n#endif\n\n", upper);
    output_printf("%s_ALIGNED static const unsigned char %s[%s_SIZE] = {\n", upper, name, upper);
}

static void put_bytes(const model *flow) {
    enum { IN_A_LINE = 20 };
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < flow->size; i++) {
        char text[] = "0x??, ";
        text[2] = digits[flow->data[i] >> 4];
        text[3] = digits[flow->data[i] & 15];
        bool first = i % IN_A_LINE == 0, last = i % IN_A_LINE == IN_A_LINE - 1 || i + 1 == flow->size;
        if (first) output_write("    ", 4);
        output_write(text, last ? 5 : 6);
        if (last) output_write("\n", 1);
    }
}

int command_c_array(const arguments *given) {
    const char *name = given->values[OPTION_NAME] ? given->values[OPTION_NAME] : "model";
    const char *fault = fault_of_name(name);
    if (fault) fail_usage(given->command, "'%s' %s", name, fault);
    model flow;
    model_open(&flow, given->operands[0], NULL);
    char *upper = allocate(strlen(name) + 1, 1);
    for (size_t i = 0; i <= strlen(name); i++) upper[i] = (char)toupper((unsigned char)name[i]);
    output_open(given->values[OPTION_OUTPUT]);
    put_definitions(&flow, name, upper);
    put_bytes(&flow);
    output_printf("};\n\n#endif\n");
    output_finish(0);
    free(upper);
    model_close(&flow);
    return EXIT_DONE;
}
