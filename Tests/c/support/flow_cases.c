#include "check.h"
#include "flow.h"

/* clang-format off */
#define MAF(...) { .kind = RECORD_AUTOREGRESSIVE, .reads = READS_DATA, .transformer = AFFINE, __VA_ARGS__ }
#define IAF(...) { .kind = RECORD_AUTOREGRESSIVE, .reads = READS_NOISE, .transformer = AFFINE, __VA_ARGS__ }
#define MAF_SPLINE(form_, bins_, ...) { .kind = RECORD_AUTOREGRESSIVE, .reads = READS_DATA, .transformer = SPLINE, .form = form_, .bins = bins_, .p = __VA_ARGS__ }
#define IAF_SPLINE(form_, bins_, ...) { .kind = RECORD_AUTOREGRESSIVE, .reads = READS_NOISE, .transformer = SPLINE, .form = form_, .bins = bins_, .p = __VA_ARGS__ }
#define ELEMENTWISE { .kind = RECORD_ELEMENTWISE }
#define ELEMENTWISE_INVERSE { .kind = RECORD_ELEMENTWISE, .reads = 1 }
#define NORMAL_BASE { .kind = RECORD_BASE, .reads = DIAGONAL_NORMAL }
#define SOFTPLUS_SCALE .scale = SCALE_SOFTPLUS, .p = {1e-3f}

/* Layers of a plain network: one or two hidden layers of the same width, with or without context. */
#define NET_1(width_, activation_, context_) .layer_count = 2, .layers = { \
    { .width = width_, .activation = activation_, .a = activation_ == ELU ? 1.0f : activation_ == LEAKY_RELU ? 0.01f : 0, \
      .source = READ_SIDE, .context = context_ }, \
    { .source = LAYER(0) } }
#define NET_2(width_, activation_, context_) .layer_count = 3, .layers = { \
    { .width = width_, .activation = activation_, .source = READ_SIDE, .context = context_ }, \
    { .width = width_, .activation = activation_, .source = LAYER(0) }, \
    { .source = LAYER(1) } }

const flow_spec flow_cases[] = {
    { "no-steps", 3, 0, {{0}} },
    { "no-steps-37", 37, 0, {{0}} },
    { "one-coordinate", 1, 0, { MAF(SOFTPLUS_SCALE, NET_1(5, TANH, NONE)), IAF(SOFTPLUS_SCALE, NET_1(5, TANH, NONE)) } },
    { "one-coordinate-context", 1, 2, { MAF(SOFTPLUS_SCALE, NET_2(7, TANH, CONTEXT)), IAF(SOFTPLUS_SCALE, NET_1(3, RELU, CONTEXT)) } },
    { "two-coordinates", 2, 0, { MAF(SOFTPLUS_SCALE, NET_2(24, TANH, NONE)), MAF(SOFTPLUS_SCALE, NET_2(24, TANH, NONE)) } },
    { "narrow-network", 9, 0, { MAF(SOFTPLUS_SCALE, NET_1(4, RELU, NONE)), IAF(NET_1(3, TANH, NONE)) } },

    /* scale functions and the three affine forms */
    { "scale-exp", 5, 0, { MAF(.scale = SCALE_EXP, .form = SHIFT_THEN_SCALE, NET_2(33, TANH, NONE)), IAF(.scale = SCALE_EXP, NET_1(18, TANH, NONE)) } },
    { "scale-exp-clamped", 5, 3, { MAF(.scale = SCALE_EXP_CLAMPED, .p = {-0.25f, 0.5f}, NET_1(33, RELU, CONTEXT)) } },
    { "scale-softplus-clamped", 6, 0, { MAF(.scale = SCALE_SOFTPLUS_CLAMPED, .p = {1e-3f, 0.5f, 0.75f}, NET_1(31, RELU, NONE)) } },
    { "scale-sigmoid", 7, 0, { IAF(.scale = SCALE_SIGMOID, .p = {1e-3f}, NET_2(32, RELU, NONE)) } },
    { "scale-exp-soft-clipped", 5, 2, { MAF(.scale = SCALE_EXP_SOFT_CLIPPED, .p = {6.9077554f}, NET_2(64, RELU, CONTEXT)) } },
    { "scale-exp-tanh", 4, 0, { MAF(.scale = SCALE_EXP_TANH, .p = {1.5f}, .form = SHIFT_THEN_SCALE, NET_1(20, ELU, NONE)) } },
    { "scale-exp-atan", 4, 0, { IAF(.scale = SCALE_EXP_ATAN, .p = {0.75f}, NET_1(20, ELU, NONE)) } },
    { "gated", 8, 4, { IAF(.scale = SCALE_SIGMOID, .form = GATED, NET_2(40, ELU, CONTEXT)), MAF(.scale = SCALE_SIGMOID, .form = GATED, NET_1(17, ELU, NONE)) } },
    { "additive", 6, 0, { { .kind = RECORD_AUTOREGRESSIVE, .transformer = ADDITIVE, NET_1(30, TANH, NONE) },
                          { .kind = RECORD_AUTOREGRESSIVE, .transformer = ADDITIVE, .reads = READS_NOISE, NET_1(30, TANH, NONE) } } },

    /* activations that the flows above do not use */
    { "leaky-relu", 5, 0, { MAF(SOFTPLUS_SCALE, NET_1(37, LEAKY_RELU, NONE)) } },
    { "silu", 5, 0, { MAF(SOFTPLUS_SCALE, NET_2(37, SILU, NONE)) } },
    { "gelu", 5, 0, { MAF(SOFTPLUS_SCALE, NET_2(37, GELU, NONE)) } },
    { "gelu-tanh", 5, 0, { MAF(SOFTPLUS_SCALE, NET_2(37, GELU_TANH, NONE)) } },
    { "sigmoid", 5, 0, { MAF(SOFTPLUS_SCALE, NET_2(37, SIGMOID, NONE)) } },
    { "softplus", 5, 0, { MAF(SOFTPLUS_SCALE, NET_2(37, SOFTPLUS, NONE)) } },
    { "softsign", 5, 0, { MAF(SOFTPLUS_SCALE, NET_2(37, SOFTSIGN, NONE)) } },
    { "identity", 5, 0, { MAF(SOFTPLUS_SCALE, NET_1(37, IDENTITY, NONE)) } },

    /* other steps, and both directions mixed */
    { "diagonal", 10, 0, { { .kind = RECORD_DIAGONAL }, MAF(SOFTPLUS_SCALE, NET_1(25, TANH, NONE)), { .kind = RECORD_DIAGONAL } } },
    { "permutation", 11, 0, { { .kind = RECORD_PERMUTATION }, { .kind = RECORD_DIAGONAL }, { .kind = RECORD_PERMUTATION }, IAF(SOFTPLUS_SCALE, NET_1(25, TANH, NONE)) } },
    { "mixed-directions", 13, 5, { MAF(SOFTPLUS_SCALE, NET_2(50, RELU, CONTEXT)), IAF(.scale = SCALE_SIGMOID, .p = {1e-3f}, NET_2(50, TANH, CONTEXT)),
                                   { .kind = RECORD_DIAGONAL }, MAF(.scale = SCALE_EXP, NET_1(50, TANH, NONE)) } },

    /* stages of several ranks */
    { "coupling", 6, 0, { MAF(SOFTPLUS_SCALE, .stages = 2, .passthrough = 3, NET_2(32, RELU, NONE)), IAF(.scale = SCALE_EXP_TANH, .p = {2}, .stages = 2, .passthrough = 3, NET_2(32, RELU, NONE)) } },
    { "coupling-context", 7, 3, { MAF(SOFTPLUS_SCALE, .stages = 2, .passthrough = 3, NET_2(45, RELU, CONTEXT)), MAF(SOFTPLUS_SCALE, .stages = 2, NET_2(45, TANH, CONTEXT)) } },
    { "four-stages", 10, 0, { MAF(SOFTPLUS_SCALE, .stages = 4, NET_2(30, TANH, NONE)), IAF(SOFTPLUS_SCALE, .stages = 4, .passthrough = 5, NET_1(30, TANH, NONE)) } },
    { "context-only", 5, 3, { MAF(SOFTPLUS_SCALE, .stages = 1, .layer_count = 2, .layers = {
        { .width = 20, .activation = TANH, .context = CONTEXT }, { .source = LAYER(0) } }) } },

    /* residual blocks, skip connections, gates, in-network batch norm */
    { "residual", 17, 0, { MAF(SOFTPLUS_SCALE, .layer_count = 5, .layers = {
        { .width = 40, .source = READ_SIDE },
        { .width = 40, .activation = RELU, .add = { LAYER(0) } },
        { .width = 40, .activation = RELU, .source = LAYER(1) },
        { .width = 40, .source = LAYER(2), .add = { LAYER(0) } },
        { .source = LAYER(3) } }) } },
    { "residual-gated", 12, 4, { MAF(SOFTPLUS_SCALE, .layer_count = 7, .layers = {
        { .width = 35, .source = READ_SIDE, .context = CONTEXT },
        { .width = 35, .activation = TANH, .add = { LAYER(0) }, .scaled = 1 },
        { .width = 35, .activation = TANH, .source = LAYER(1) },
        { .width = 35, .activation = SIGMOID, .context = CONTEXT },
        { .width = 35, .source = LAYER(2), .gate = LAYER(3) },
        { .width = 35, .add = { LAYER(4), LAYER(0) }, .scaled = 2 },
        { .source = LAYER(5) } }) } },
    { "three-adds", 9, 2, { IAF(SOFTPLUS_SCALE, .layer_count = 5, .layers = {
        { .width = 19, .activation = TANH, .source = READ_SIDE },
        { .width = 19, .activation = SILU, .context = CONTEXT },
        { .width = 19, .activation = TANH, .source = LAYER(0), .add = { LAYER(1) } },
        { .width = 19, .activation = SOFTSIGN, .source = LAYER(2), .context = CONTEXT, .add = { LAYER(0), LAYER(1), LAYER(2) }, .scaled = 5, .gate = LAYER(2) },
        { .source = LAYER(3), .context = CONTEXT } }) } },

    /* sizes around panels and tiles */
    { "wide", 21, 0, { MAF(SOFTPLUS_SCALE, NET_2(129, TANH, NONE)), MAF(SOFTPLUS_SCALE, NET_2(129, TANH, NONE)) } },
    { "many-coordinates", 63, 7, { MAF(SOFTPLUS_SCALE, NET_2(112, RELU, CONTEXT)), IAF(SOFTPLUS_SCALE, NET_1(96, RELU, NONE)) } },

    /* linear steps and a base with parameters */
    { "linear", 9, 0, { { .kind = RECORD_LINEAR } } },
    { "linear-37", 37, 0, { { .kind = RECORD_LINEAR }, MAF(SOFTPLUS_SCALE, NET_1(40, TANH, NONE)), { .kind = RECORD_LINEAR } } },
    { "normal-base-1", 1, 0, { NORMAL_BASE } },
    { "normal-base-2", 2, 0, { { .kind = RECORD_LINEAR }, NORMAL_BASE } },
    { "normal-base", 5, 0, { MAF(SOFTPLUS_SCALE, NET_1(12, TANH, NONE)), NORMAL_BASE } },
    { "normal-base-19", 19, 2, { { .kind = RECORD_LINEAR }, IAF(SOFTPLUS_SCALE, NET_1(40, TANH, CONTEXT)), NORMAL_BASE } },

    /* context encoders */
    { "encoder", 5, 3, { { .kind = RECORD_ENCODER, .layer_count = 1, .layers = { { .width = 7, .activation = TANH, .context = CONTEXT } } },
                         MAF(SOFTPLUS_SCALE, NET_2(24, TANH, CONTEXT)), IAF(SOFTPLUS_SCALE, NET_1(18, TANH, CONTEXT)) } },
    { "encoder-norm", 9, 20, { { .kind = RECORD_ENCODER, .layer_count = 4, .layers = {
                             { .width = 37, .context = CONTEXT },
                             { .width = 37, .activation = LAYER_NORM, .a = 1e-5f, .add = { LAYER(0) } },
                             { .width = 37, .activation = RELU, .add = { LAYER(1) }, .scaled = 1 },
                             { .width = 19, .activation = RELU, .source = LAYER(2), .context = CONTEXT } } },
                         MAF(SOFTPLUS_SCALE, NET_2(24, TANH, CONTEXT)), NORMAL_BASE } },
    /* a network of the context inside a conditioner */
    { "context-network", 6, 4, { MAF(SOFTPLUS_SCALE, .layer_count = 5, .layers = {
                             { .width = 21, .activation = TANH, .context = CONTEXT },
                             { .width = 33, .activation = TANH, .source = LAYER(0) },
                             { .width = 33, .activation = TANH, .source = READ_SIDE, .add = { LAYER(1) } },
                             { .width = 33, .activation = TANH, .source = LAYER(2), .gate = LAYER(1) },
                             { .source = LAYER(3) } }) } },
    { "context-layer", 6, 4, { MAF(SOFTPLUS_SCALE, .layer_count = 4, .layers = {
                             { .width = 21, .activation = TANH, .context = CONTEXT },
                             { .width = 33, .activation = TANH, .source = READ_SIDE, .context = LAYER(0) },
                             { .width = 35, .activation = TANH, .source = LAYER(1), .context = CONTEXT },
                             { .source = LAYER(2), .context = LAYER(0) } }) } },
    { "sine", 5, 0, { MAF(SOFTPLUS_SCALE, NET_2(37, SINE, NONE)) } },
    /* degrees that go on from one group of eight panels to the next */
    { "wider", 10, 0, { MAF(SOFTPLUS_SCALE, NET_2(300, TANH, NONE)), IAF(SOFTPLUS_SCALE, NET_1(300, TANH, NONE)) } },

    /* splines: the three ends, both forms of widths and derivatives, turned or not */
    { "spline", 5, 0, { MAF_SPLINE(0, 8, {-3, 3, 1e-3f, 1e-3f, 1e-3f, 0, 1}, NET_2(33, TANH, NONE)), IAF_SPLINE(0, 5, {-2, 4, 1e-3f, 1e-2f, 1e-3f, 0, 1}, NET_1(20, TANH, NONE)) } },
    { "spline-clipped", 5, 2, { MAF_SPLINE(1 + 4, 8, {-5, 5, 0, 0, 0, 6.9077554f, 1}, NET_2(33, RELU, CONTEXT)) } },
    { "spline-free-ends", 19, 0, { MAF_SPLINE(16, 4, {-3, 3, 1e-2f, 1e-3f, 1e-3f}, NET_1(40, TANH, NONE)) } },
    { "spline-circular", 4, 0, { IAF_SPLINE(32 + 64, 6, {-3.1415927f, 3.1415927f, 1e-3f, 1e-3f, 1e-3f}, NET_2(24, TANH, NONE)) } },
    { "spline-exponential", 3, 0, { MAF_SPLINE(4 + 16, 3, {-3, 3, 1e-2f, 1e-2f, 0, 4}, NET_1(12, TANH, NONE)) } },
    { "spline-coupling", 7, 3, { MAF_SPLINE(0, 5, {-3, 3, 1e-3f, 1e-3f, 1e-3f, 0, 1}, .stages = 2, .passthrough = 3, NET_2(32, RELU, CONTEXT)) } },
    { "spline-one-coordinate", 1, 1, { MAF_SPLINE(0, 4, {-3, 3, 1e-3f, 1e-3f, 1e-3f, 0, 1}, NET_1(5, TANH, CONTEXT)) } },

    /* elementwise steps and the other bases */
    { "elementwise", 29, 0, { ELEMENTWISE, ELEMENTWISE_INVERSE, MAF(SOFTPLUS_SCALE, NET_1(30, TANH, NONE)) } },
    { "uniform-base", 5, 0, { MAF(SOFTPLUS_SCALE, NET_1(12, TANH, NONE)), { .kind = RECORD_BASE, .reads = BOX_UNIFORM } } },
    { "mixture-base", 19, 0, { MAF(SOFTPLUS_SCALE, NET_1(32, TANH, NONE)), { .kind = RECORD_BASE, .reads = NORMAL_MIXTURE, .bins = 3 } } },
    { "mixture-base-17", 2, 0, { { .kind = RECORD_BASE, .reads = NORMAL_MIXTURE, .bins = 17 } } },
    { "conditional-base", 5, 3, { MAF(SOFTPLUS_SCALE, NET_1(12, TANH, CONTEXT)), { .kind = RECORD_BASE, .reads = CONDITIONAL_NORMAL, .layer_count = 2, .layers = {
                             { .width = 17, .activation = TANH, .context = CONTEXT }, { .width = 10, .source = LAYER(0) } } } } },
    { "conditional-base-encoder", 9, 4, { { .kind = RECORD_ENCODER, .layer_count = 1, .layers = { { .width = 11, .activation = TANH, .context = CONTEXT } } },
                         IAF(.scale = SCALE_SIGMOID, .form = GATED, NET_2(24, ELU, CONTEXT)), { .kind = RECORD_BASE, .reads = CONDITIONAL_NORMAL, .layer_count = 1, .layers = { { .width = 18, .context = CONTEXT } } } } },
    { "made-mog", 6, 0, { { .kind = RECORD_BASE, .reads = AUTOREGRESSIVE_MIXTURE, .bins = 4, SOFTPLUS_SCALE, NET_2(33, TANH, NONE) } } },
    { "maf-mog", 21, 2, { MAF(SOFTPLUS_SCALE, NET_1(32, TANH, CONTEXT)), { .kind = RECORD_BASE, .reads = AUTOREGRESSIVE_MIXTURE, .bins = 3, .scale = SCALE_EXP, NET_1(40, RELU, CONTEXT) } } },

    /* splines of other pieces */
    { "spline-linear", 5, 0, { MAF_SPLINE(LINEAR_PIECES << 7, 6, {-3, 3, 0, 1e-2f}, NET_1(33, TANH, NONE)), IAF_SPLINE(LINEAR_PIECES << 7 | 64 | 1, 4, {-2, 4, 0, 0, 0, 4}, NET_1(20, TANH, NONE)) } },
    { "spline-quadratic", 5, 2, { MAF_SPLINE(QUADRATIC_PIECES << 7, 5, {-3, 3, 1e-3f, 1e-2f, 1e-3f}, NET_2(33, TANH, CONTEXT)), IAF_SPLINE(QUADRATIC_PIECES << 7 | 16 | 1, 4, {-2, 4, 0, 1e-3f, 1e-2f, 4}, NET_1(20, TANH, NONE)) } },
    { "spline-linear-rational", 5, 0, { MAF_SPLINE(LINEAR_RATIONAL_PIECES << 7, 5, {-3, 3, 1e-3f, 1e-3f, 1e-3f, 0, 0.999f, 0.025f}, NET_2(33, TANH, NONE)), IAF_SPLINE(LINEAR_RATIONAL_PIECES << 7 | 32 | 4, 4, {-2, 4, 1e-2f, 1e-2f, 0, 4, 0, 0.25f}, NET_1(20, TANH, NONE)) } },
    { "spline-cubic", 19, 0, { MAF_SPLINE(CUBIC_PIECES << 7, 6, {-3, 3, 1e-3f, 1e-3f}, NET_2(40, TANH, NONE)), IAF_SPLINE(CUBIC_PIECES << 7 | 1, 2, {-2, 4, 0, 0, 0, 4}, NET_1(20, TANH, NONE)) } },
    { "spline-cubic-coupling", 4, 1, { MAF_SPLINE(CUBIC_PIECES << 7, 3, {-3, 3, 1e-3f, 1e-3f}, .stages = 2, .passthrough = 2, NET_1(12, TANH, CONTEXT)) } },
    /* units that are added and gate long after they are final */
    { "late-adds", 9, 0, { MAF(SOFTPLUS_SCALE, .layer_count = 3, .layers = {
        { .width = 40, .activation = TANH, .source = READ_SIDE },
        { .width = 40, .activation = TANH, .source = LAYER(0), .add = { LAYER(0) }, .gate = LAYER(0), .later = 3 },
        { .source = LAYER(1) } }) } },
    { "arctangent", 5, 0, { MAF(SOFTPLUS_SCALE, NET_2(37, ARCTANGENT, NONE)) } },
    { "inverse-hyperbolic-sine", 5, 0, { MAF(SOFTPLUS_SCALE, NET_2(37, INVERSE_HYPERBOLIC_SINE, NONE)) } },
    /* the gate of a layer that is normalised comes after the norm */
    { "gated-norm", 5, 4, { { .kind = RECORD_ENCODER, .layer_count = 2, .layers = {
                             { .width = 19, .activation = TANH, .context = CONTEXT },
                             { .width = 19, .activation = LAYER_NORM, .a = 1e-5f, .source = LAYER(0), .gate = LAYER(0) } } },
                         MAF(SOFTPLUS_SCALE, NET_1(24, TANH, CONTEXT)) } },

    /* planes: couplings whose networks are convolutions, a linear map of the channels, and an encoder of images */
    { "convolution", 8, 0, { { .kind = RECORD_PIXELWISE_LINEAR, .stages = 4, .bins = 2 },
                         MAF(.scale = SCALE_SIGMOID, .p = {0.1f}, .stages = 2, .passthrough = 4, .layer_count = 2, .layers = {
                             { .width = 20, .activation = TANH, .source = READ_SIDE, .operation = CONVOLUTION, .plane = { 2, 2, 1, 5, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1} } },
                             { .source = LAYER(0), .operation = CONVOLUTION, .plane = { 2, 2, 5, 2, {1, 1}, {1, 1}, {1, 1} } } }) } },
    { "image", 120, 3, { IAF(SOFTPLUS_SCALE, .stages = 2, .passthrough = 60, .layer_count = 5, .layers = {
                             { .width = 400, .activation = RELU, .source = READ_SIDE, .operation = CONVOLUTION, .plane = { 4, 5, 3, 20, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1} } },
                             { .width = 400, .activation = SIGMOID, .source = LAYER(0), .context = CONTEXT, .operation = CONVOLUTION, .plane = { 4, 5, 20, 20, {1, 1}, {1, 1}, {1, 1} } },
                             { .width = 400, .activation = TANH, .source = LAYER(0), .context = CONTEXT, .add = { LAYER(0) }, .gate = LAYER(1),
                               .operation = CONVOLUTION, .plane = { 4, 5, 20, 20, {3, 2}, {1, 1}, {2, 3}, {2, 2, 0, 3} } },
                             { .width = 400, .activation = SILU, .source = LAYER(2), .operation = DEPTHWISE_CONVOLUTION, .plane = { 4, 5, 20, 20, {5, 3}, {1, 1}, {1, 1}, {4, 0, 1, 1} } },
                             { .source = LAYER(3), .operation = CONVOLUTION, .plane = { 4, 5, 20, 6, {1, 1}, {1, 1}, {1, 1} } } }),
                         { .kind = RECORD_PIXELWISE_LINEAR, .stages = 5, .bins = 19 },
                         { .kind = RECORD_AUTOREGRESSIVE, .transformer = ADDITIVE, .stages = 2, .passthrough = 60, .layer_count = 2, .layers = {
                             { .width = 15, .activation = ELU, .a = 1, .source = READ_SIDE, .context = CONTEXT, .operation = CONVOLUTION, .plane = { 5, 4, 3, 15, {5, 3}, {1, 2}, {1, 1} } },
                             { .source = LAYER(0) } } } } },
    { "gathered-planes", 36, 0, { MAF_SPLINE(0, 4, {-3, 3, 1e-3f, 1e-3f, 1e-3f, 0, 1}, .stages = 3, .passthrough = 24, .layer_count = 4, .layers = {
                             { .width = 70, .activation = TANH, .source = READ_SIDE, .operation = GATHER },
                             { .width = 48, .source = LAYER(0), .operation = MAX_POOLING, .plane = { 7, 5, 2, 2, {3, 2}, {2, 1}, {1, 1}, {1, 1, 1, 1} } },
                             { .width = 48, .activation = TANH, .source = LAYER(1), .operation = CONVOLUTION, .plane = { 4, 6, 2, 2, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1} } },
                             { .source = LAYER(2), .operation = CONVOLUTION, .plane = { 4, 6, 2, 11, {2, 2}, {2, 1}, {1, 1}, {0, 0, 1, 0} } } }) } },
    { "image-context", 5, 126, { { .kind = RECORD_ENCODER, .layer_count = 6, .layers = {
                             { .width = 315, .activation = RELU, .context = CONTEXT, .operation = CONVOLUTION, .plane = { 7, 9, 2, 9, {5, 5}, {1, 1}, {1, 1}, {1, 1, 1, 1} } },
                             { .width = 108, .source = LAYER(0), .operation = MAX_POOLING, .plane = { 5, 7, 9, 9, {2, 2}, {2, 2}, {1, 1}, {1, 0, 1, 0} } },
                             { .width = 54, .activation = GELU, .source = LAYER(1), .operation = DEPTHWISE_CONVOLUTION, .plane = { 3, 4, 9, 9, {2, 3}, {1, 1}, {1, 1}, {0, 0, 1, 0} } },
                             { .width = 54, .source = LAYER(2), .operation = GATHER, .add = { LAYER(2) } },
                             { .width = 34, .activation = TANH, .source = LAYER(3), .context = CONTEXT, .operation = CONVOLUTION, .plane = { 2, 3, 9, 17, {1, 2}, {1, 3}, {1, 1} } },
                             { .width = 7, .activation = TANH, .source = LAYER(4) } } },
                         MAF(SOFTPLUS_SCALE, NET_2(24, TANH, CONTEXT)), MAF_SPLINE(0, 5, {-3, 3, 1e-3f, 1e-3f, 1e-3f, 0, 1}, .stages = 2, .passthrough = 2, NET_1(32, RELU, CONTEXT)) } },
};
/* clang-format on */

const size_t flow_case_count = sizeof flow_cases / sizeof *flow_cases;

int flow_has_standard_base(const flow_spec *spec) {
    for (const step_spec *step = spec->steps; step->kind; step++)
        if (step->kind == RECORD_BASE) return 0;
    return 1;
}

int flow_has_planes(const flow_spec *spec) {
    for (const step_spec *step = spec->steps; step < spec->steps + MAX_STEPS; step++) {
        if (step->kind == RECORD_PIXELWISE_LINEAR) return 1;
        for (int i = 0; i < step->layer_count; i++)
            if (step->layers[i].operation != DENSE) return 1;
    }
    return 0;
}

const flow_spec *flow_case(const char *name) {
    for (size_t i = 0; i < flow_case_count; i++)
        if (strcmp(flow_cases[i].name, name) == 0) return &flow_cases[i];
    check_failed(__FILE__, __LINE__, "no flow named %s", name);
}
