/* hmc: the posterior of the unknowns, from a trained likelihood, by Hamiltonian Monte Carlo.
 *
 *   cc hmc.c -lflowrt -lm -o hmc
 *   ./hmc model.flw readings.csv                 mean, standard deviation, quantiles and R-hat of 4 x 1000 draws
 *   ./hmc model.flw readings.csv 5000 7          of 4 x 5000 draws with seed 7
 *   ./hmc model.flw readings.csv 1000 1 all.csv  writes the draws, too
 *
 * The model is a neural likelihood p(x | theta): theta is its context. The rows of the file are independent readings x
 * of one theta, whose prior is N(0, 1) in each coordinate. So
 *
 *   log posterior(theta)  = sum over readings of log p(x | theta) - |theta|^2 / 2 + constant
 *   its gradient by theta = sum over readings of d log p / d context - theta
 *
 * flowrt_log_prob_gradient gives both, for all chains and readings in one call.
 * Hamiltonian Monte Carlo: R. M. Neal, MCMC using Hamiltonian dynamics (2011). Step size: M. D. Hoffman and A. Gelman,
 * The No-U-Turn Sampler (2014), section 3.2. R-hat: Gelman et al., Bayesian Data Analysis (2013), section 11.4. */
#include "example.h"

enum { CHAINS = 4, WARM_UP = 500, MOST_STEPS = 16 };
static const double WANTED_ACCEPTANCE = 0.8;

/* ---- Random numbers of the sampler: SplitMix64 and Box-Muller. ---- */

static uint64_t random_state;

static double uniform(void) /* 0 < u < 1 */
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
    const double radius = sqrt(-2 * log(uniform()));
    return radius * cos(6.283185307179586 * uniform());
}

/* ---- The posterior. ---- */

struct posterior {
    flowrt_file flow;
    void *workspace;
    size_t workspace_size;
    size_t readings;
    float *x;        /* [CHAINS * readings][dim]: the readings, once for each chain */
    float *context;  /* [CHAINS * readings][context_dim]: theta of the chain in each of its rows */
    float *log_p;    /* [CHAINS * readings] */
    float *gradient; /* [CHAINS * readings][context_dim] */
};

/* Where a chain is, and what the posterior is there. */
struct place {
    double *theta, *gradient; /* [context_dim] */
    double log_p;             /* -infinity where the density is none */
};

/* log posterior and its gradient at the places of all chains. */
static void evaluate(struct posterior *p, struct place places[CHAINS])
{
    const size_t rows = CHAINS * p->readings, dim = p->flow.info.context_dim;
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < dim; i++)
            p->context[row * dim + i] = (float)places[row / p->readings].theta[i];
    check(flowrt_log_prob_gradient(&p->flow.model, rows, p->x, p->context, rows, p->log_p, NULL, p->gradient,
                                   p->workspace, p->workspace_size)); /* not finite too far out: refused by leap() */
    for (size_t chain = 0; chain < CHAINS; chain++) {
        struct place *place = &places[chain];
        place->log_p = 0;
        for (size_t i = 0; i < dim; i++) {
            place->log_p -= place->theta[i] * place->theta[i] / 2;
            place->gradient[i] = -place->theta[i];
        }
        for (size_t row = chain * p->readings; row < (chain + 1) * p->readings; row++) {
            place->log_p += p->log_p[row];
            for (size_t i = 0; i < dim; i++)
                place->gradient[i] += p->gradient[row * dim + i];
        }
        if (!isfinite(place->log_p))
            place->log_p = -INFINITY;
    }
}

/* ---- Hamiltonian Monte Carlo. ---- */

static void copy_place(struct place *to, const struct place *from, size_t dim)
{
    memcpy(to->theta, from->theta, dim * sizeof(double));
    memcpy(to->gradient, from->gradient, dim * sizeof(double));
    to->log_p = from->log_p;
}

static double kinetic(const double *momentum, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += momentum[i] * momentum[i] / 2;
    return sum;
}

/* One trajectory of every chain, all in step. Returns the mean probability of acceptance. */
static double leap(struct posterior *p, struct place places[CHAINS], struct place ends[CHAINS], double *momenta,
                   double step_size)
{
    const size_t dim = p->flow.info.context_dim;
    double before[CHAINS], acceptance = 0;
    for (size_t chain = 0; chain < CHAINS; chain++) {
        for (size_t i = 0; i < dim; i++)
            momenta[chain * dim + i] = normal();
        before[chain] = places[chain].log_p - kinetic(momenta + chain * dim, dim);
        copy_place(&ends[chain], &places[chain], dim);
    }
    const size_t steps = 1 + (size_t)(MOST_STEPS * uniform()); /* of one length a chain might come round to its start */
    for (size_t step = 0; step < steps; step++) {
        for (size_t k = 0; k < CHAINS * dim; k++) {
            struct place *end = &ends[k / dim];
            momenta[k] += step_size / 2 * end->gradient[k % dim];
            end->theta[k % dim] += step_size * momenta[k];
        }
        evaluate(p, ends);
        for (size_t k = 0; k < CHAINS * dim; k++)
            momenta[k] += step_size / 2 * ends[k / dim].gradient[k % dim];
    }
    for (size_t chain = 0; chain < CHAINS; chain++) {
        const double gain = ends[chain].log_p - kinetic(momenta + chain * dim, dim) - before[chain];
        const double probability = gain >= 0 ? 1 : isnan(gain) ? 0 : exp(gain);
        acceptance += probability / CHAINS;
        if (uniform() < probability)
            copy_place(&places[chain], &ends[chain], dim);
    }
    return acceptance;
}

/* Starts chains from the prior, adapts the step size for WARM_UP trajectories, then keeps `draws` of each chain:
 * kept[chain][draw][context_dim]. Returns the mean probability of acceptance. */
static double sample_posterior(struct posterior *p, size_t draws, double *kept, double *step_size)
{
    const size_t dim = p->flow.info.context_dim;
    double *numbers = calloc(5 * CHAINS * dim, sizeof(double));
    if (numbers == NULL)
        fail("no memory for %lu coordinates", (unsigned long)dim);
    struct place places[CHAINS], ends[CHAINS];
    for (size_t chain = 0; chain < CHAINS; chain++) {
        places[chain] = (struct place){numbers + 4 * chain * dim, numbers + (4 * chain + 1) * dim, 0};
        ends[chain] = (struct place){numbers + (4 * chain + 2) * dim, numbers + (4 * chain + 3) * dim, 0};
        for (size_t i = 0; i < dim; i++)
            places[chain].theta[i] = normal();
    }
    double *momenta = numbers + 4 * CHAINS * dim;
    evaluate(p, places);

    double log_step = log(0.1), log_mean = 0, error = 0, acceptance = 0;
    const double towards = log(10 * 0.1); /* a step too long costs less time to find out than one too short */
    for (size_t i = 1; i <= WARM_UP; i++) { /* dual averaging */
        const double weight = 1 / ((double)i + 10), mean_weight = pow((double)i, -0.75);
        error += weight * (WANTED_ACCEPTANCE - leap(p, places, ends, momenta, exp(log_step)) - error);
        log_step = towards - sqrt((double)i) / 0.05 * error;
        log_mean += mean_weight * (log_step - log_mean);
    }
    *step_size = exp(log_mean);
    for (size_t draw = 0; draw < draws; draw++) {
        acceptance += leap(p, places, ends, momenta, *step_size) / (double)draws;
        for (size_t chain = 0; chain < CHAINS; chain++)
            memcpy(kept + (chain * draws + draw) * dim, places[chain].theta, dim * sizeof(double));
    }
    free(numbers);
    return acceptance;
}

/* ---- What the draws say. ---- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double mean_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

static double variance_of(const double *values, size_t count)
{
    const double mean = mean_of(values, count);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return sum / (double)(count - 1);
}

/* values[CHAINS][draws] of one coordinate; each half of a chain counts as a chain. Near 1 if all tell the same. */
static double r_hat(const double *values, size_t draws)
{
    const size_t half = draws / 2;
    double means[2 * CHAINS], within = 0;
    for (size_t part = 0; part < 2 * CHAINS; part++) {
        const double *first = values + part / 2 * draws + part % 2 * (draws - half);
        means[part] = mean_of(first, half);
        within += variance_of(first, half) / (2 * CHAINS);
    }
    return sqrt((double)(half - 1) / (double)half + variance_of(means, 2 * CHAINS) / within);
}

/* A line for a coordinate of theta, by its name if the model has one. Sorts the values. */
static void print_summary(const struct posterior *p, size_t coordinate, double *values, size_t draws)
{
    char name[64];
    if (flowrt_file_metadata(&p->flow, "context_names", coordinate, name, sizeof name) < 0)
        snprintf(name, sizeof name, "theta_%lu", (unsigned long)coordinate + 1);
    const size_t count = CHAINS * draws;
    const double mean = mean_of(values, count), sd = sqrt(variance_of(values, count)), mixed = r_hat(values, draws);
    qsort(values, count, sizeof(double), ascending);
    printf("%-12s %9.4f %9.4f %9.4f %9.4f %9.4f %9.4f\n", name, mean, sd, values[count / 20], values[count / 2],
           values[count - 1 - count / 20], mixed);
}

static void write_draws(const char *path, const double *kept, size_t count, size_t dim)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        fail("%s: %s", path, strerror(errno));
    for (size_t k = 0; k < count * dim; k++)
        fprintf(file, "%.9g%c", kept[k], k % dim + 1 < dim ? ',' : '\n');
    if (ferror(file) | fclose(file))
        fail("%s: cannot be written", path);
}

static void read_readings(struct posterior *p, const char *path)
{
    const size_t dim = p->flow.info.dim;
    struct csv csv = csv_open(path);
    float *row = new_floats(dim), *rows = NULL;
    size_t room = 0;
    while (csv_row(&csv, dim, row)) {
        if (p->readings == room) {
            room = room ? 2 * room : 64;
            rows = realloc(rows, room * dim * sizeof(float));
            if (rows == NULL)
                fail("no memory for %lu readings", (unsigned long)room);
        }
        memcpy(rows + p->readings++ * dim, row, dim * sizeof(float));
    }
    csv_close(&csv);
    if (p->readings == 0)
        fail("%s: no readings", path);
    p->x = new_floats(CHAINS * p->readings * dim);
    for (size_t chain = 0; chain < CHAINS; chain++)
        memcpy(p->x + chain * p->readings * dim, rows, p->readings * dim * sizeof(float));
    free(rows);
    free(row);
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 6)
        fail("usage: hmc MODEL.flw READINGS.csv [DRAWS [SEED [DRAWS.csv]]]");
    struct posterior p = {.flow = model_open(argv[1])};
    const size_t dim = p.flow.info.context_dim, draws = argc > 3 ? count_of(argv[3], "DRAWS") : 1000;
    if (dim == 0)
        fail("%s: the model takes no context, so there is nothing to infer", argv[1]);
    if (draws < 4 || draws > SIZE_MAX / sizeof(double) / CHAINS / dim)
        fail("DRAWS: '%s' is less than 4, or more than memory holds", argv[3]);
    random_state = argc > 4 ? whole_number(argv[4], "SEED") : 1;
    read_readings(&p, argv[2]);
    const size_t rows = CHAINS * p.readings;
    p.context = new_floats(rows * dim);
    p.log_p = new_floats(rows);
    p.gradient = new_floats(rows * dim);
    p.workspace_size = flowrt_gradient_workspace_size(&p.flow.model, rows);
    p.workspace = workspace_new(p.workspace_size);
    double *kept = calloc(CHAINS * draws * dim, sizeof(double)), *values = calloc(CHAINS * draws, sizeof(double)), step;
    if (kept == NULL || values == NULL)
        fail("no memory for %lu draws", (unsigned long)draws);

    const double acceptance = sample_posterior(&p, draws, kept, &step);

    printf("%lu readings; %d chains of %lu draws after %d; step size %.3f, acceptance %.2f\n",
           (unsigned long)p.readings, CHAINS, (unsigned long)draws, WARM_UP, step, acceptance);
    printf("%-12s %9s %9s %9s %9s %9s %9s\n", "", "mean", "sd", "5 %", "50 %", "95 %", "R-hat");
    for (size_t i = 0; i < dim; i++) {
        for (size_t k = 0; k < CHAINS * draws; k++)
            values[k] = kept[k * dim + i];
        print_summary(&p, i, values, draws);
    }
    if (argc > 5)
        write_draws(argv[5], kept, CHAINS * draws, dim);

    free(values);
    free(kept);
    flowrt_aligned_free(p.workspace);
    free(p.gradient);
    free(p.log_p);
    free(p.context);
    free(p.x);
    flowrt_file_close(&p.flow);
    return written();
}
