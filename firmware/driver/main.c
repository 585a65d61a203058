// Example: train on a job, then predict the points that it did not learn from.
//
// The platform supplies put_character() and, as CORE_BASE, the address of the core.
#include "job.h"
#include "ohmcarlo_driver.h"

#ifndef CORE_BASE
#error "define CORE_BASE, the address of the core's registers: -DCORE_BASE=0x43c00000u"
#endif
#ifndef PATIENCE
#define PATIENCE 10000000u // polls without progress until a command is given up
#endif
#define HALF (1u << OHMCARLO_PROB_FRAC >> 1)

void put_character(char character);

struct counts {
    uint32_t steps;
    uint32_t accepted;
    uint32_t samples;
};

static uint32_t record[JOB_RECORD_WORDS];
static uint32_t means[JOB_TEST_POINTS];

// -- text ----------------------------------------------------------------------------------------
static void put_text(const char *text)
{
    while (*text != '\0')
        put_character(*text++);
}

static void put_number(uint32_t number)
{
    static const uint32_t POWERS[] = {1000000000u, 100000000u, 10000000u, 1000000u, 100000u,
                                      10000u,      1000u,      100u,      10u,      1u};
    bool begun = false;
    for (uint32_t i = 0; i < sizeof POWERS / sizeof POWERS[0]; i++) {
        char digit = '0';
        for (; number >= POWERS[i]; number -= POWERS[i])
            digit++;
        begun = begun || digit != '0' || POWERS[i] == 1u;
        if (begun)
            put_character(digit);
    }
}

static void put_count(const char *name, uint32_t number)
{
    put_text(name);
    put_text(": ");
    put_number(number);
    put_text("\n");
}

// -- the job -------------------------------------------------------------------------------------
static bool count_record(void *context, const struct ohmcarlo_record *found)
{
    struct counts *const counts = context;
    if (found->kind == OHMCARLO_STEP) {
        counts->steps++;
        counts->accepted += found->as.step.accepted ? 1u : 0u;
    } else if (found->kind == OHMCARLO_SAMPLE) {
        counts->samples++;
    }
    return true; // go on
}

static uint32_t right_answers(void)
{
    uint32_t right = 0;
    for (uint32_t i = 0; i < JOB_TEST_POINTS; i++)
        right += (means[i] >= HALF ? 1u : 0u) == job_test_labels[i] ? 1u : 0u;
    return right;
}

static enum ohmcarlo_error train_and_predict(struct ohmcarlo *core, struct counts *counts)
{
    enum ohmcarlo_error error = ohmcarlo_open(core);
    if (error == OHMCARLO_OK)
        error = ohmcarlo_load(core, &job);
    if (error == OHMCARLO_OK)
        error = ohmcarlo_start(core);
    if (error == OHMCARLO_OK)
        error = ohmcarlo_run(core, JOB_STEPS, count_record, counts);
    if (error == OHMCARLO_OK)
        error = ohmcarlo_predict(core, job_test_words, JOB_TEST_POINTS, means);
    return error;
}

int main(void)
{
    struct counts counts = {0, 0, 0};
    struct ohmcarlo core = {
        .base = CORE_BASE,
        .buffer = record,
        .buffer_words = JOB_RECORD_WORDS,
        .patience = PATIENCE,
    };
    const enum ohmcarlo_error error = train_and_predict(&core, &counts);
    if (error != OHMCARLO_OK) {
        put_text("error: ");
        put_text(ohmcarlo_error_name(error));
        put_text("\n");
        return 1;
    }
    put_count("steps", counts.steps);
    put_count("accepted", counts.accepted);
    put_count("samples", counts.samples);
    put_count("samples in the array", ohmcarlo_samples(&core));
    put_count("test points", JOB_TEST_POINTS);
    put_count("right answers", right_answers());
    return 0;
}
