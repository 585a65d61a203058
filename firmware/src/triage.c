#include "triage.h"

#include "bytes.h"
#include "hal.h"
#include "link.h"
#include "mutant.h"
#include "records.h"

#define POINTS_OF_A_POLL 4u
#define WORD_bytes 4u
#define WORD_BITS 32u
#define MAX_ANSWERS (((OHMCARLO__ID__MAX_POINTS__VALUE_reset) + WORD_BITS - 1u) / WORD_BITS)
#define PLACES (LINK_MAX_BODY / DOUBTFUL_bytes) // doubtful points of a message
#define PLACE_WORDS (DOUBTFUL_bytes / WORD_bytes)
#define RECORD_WORDS (1u + LINK_PREDICTION_WORDS)
#define THRESHOLD_MASK ((1u << LINK_THRESHOLD_BITS) - 1u)
#define SQUARED_BITS 16u // numbers of samples whose square has one word
#define REGION_WORDS (OHMCARLO__STATE_REGIONS_words / OHMCARLO__ID__MAX_REGIONS__VALUE_reset)
#define MODEL(name) core_read(OHMCARLO__MODEL__##name##_addr)

_Static_assert(RECORD_WORDS == PLACE_WORDS && DOUBTFUL_POINT_at == 0 && DOUBTFUL_SUM_at == 4 &&
                   DOUBTFUL_SQUARE_at == 12,
               "a doubtful point is its record with the number of the point in the first word");
_Static_assert(LINK_PROB_FRAC == 16, "variances and means have the fraction bits of thresholds");

struct triage {
    bool active;
    uint32_t margin;   // least doubtful margin, 16 fraction bits
    uint32_t shift;    // divides sums and samples, so that products fit into 64 bits
    uint64_t variance; // least doubtful variance × samples² (after the shift), 32 fraction bits
    uint32_t samples;  // multiplicities of all samples in the array, summed
    uint32_t points;   // done
    uint32_t positive; // answers
    uint32_t doubtful; // points
    uint32_t waiting;  // doubtful points that are not sent yet
    uint32_t place[PLACES * PLACE_WORDS];
    uint32_t answers[MAX_ANSWERS]; // bit i of word k: the answer to point 32 k + i
};

static struct triage triage;

void triage_reset(void)
{
    triage.active = false;
    triage.waiting = 0;
    triage.samples = triage.points = triage.positive = triage.doubtful = 0;
}

bool triage_active(void)
{
    return triage.active;
}

bool triage_waiting(void)
{
    return triage.waiting != 0 || records_hold(RECORD_WORDS);
}

void triage_end(void)
{
    if (triage.active)
        records_drop(); // a part of a record, if the controller stopped within it
    triage.active = false;
}

// -- samples in the array ------------------------------------------------------------------------
static uint32_t samples_of_region(uint32_t region)
{
    const uint32_t group_rows = MODEL(HIDDEN) + 1u;
    const uint32_t at = region * REGION_WORDS + LINK_REGION_MULTIPLICITY;
    uint32_t total = core_read(OHMCARLO__STATE_REGIONS_addr + at * WORD_bytes);
    uint32_t row = region * MODEL(ROWS_PER_REGION);
    for (uint32_t left = MODEL(REGION_GROUPS); left != 0; left--, row += group_rows)
        total += core_read(OHMCARLO__STATE_HELD_addr + row * WORD_bytes);
    return total;
}

static uint32_t samples_in_array(void)
{
    uint32_t total = 0;
    for (uint32_t region = MODEL(REGIONS); region != 0; region--)
        total += samples_of_region(region - 1u);
    return total;
}

void triage_begin(uint32_t thresholds)
{
    triage_reset();
    triage.active = true;
    triage.samples = samples_in_array();
    triage.shift = 0;
    while (triage.samples >> triage.shift >> SQUARED_BITS != 0)
        triage.shift++;
    const uint32_t few = triage.samples >> triage.shift;
    triage.margin = thresholds & THRESHOLD_MASK;
    triage.variance = (uint64_t)(few * few) * (thresholds >> LINK_THRESHOLD_BITS) << LINK_PROB_FRAC;
}

// -- the decision --------------------------------------------------------------------------------
static inline uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t difference(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

// The mean prediction is near to one half
static bool near_the_boundary(uint64_t sum)
{
    const uint64_t margin = least(sum, difference((uint64_t)triage.samples << LINK_PROB_FRAC, sum));
    const uint64_t limit = (uint64_t)triage.margin * triage.samples;
    return MUTANT(MARGIN_MUST_EXCEED, margin >= limit, margin > limit);
}

// The samples disagree: the variance of their predictions is large
static bool disagreed(uint64_t sum, uint64_t square)
{
    const uint32_t total = (uint32_t)(sum >> triage.shift);
    const uint32_t few = triage.samples >> triage.shift;
    const uint64_t squares = (uint64_t)(uint32_t)(square >> triage.shift) * few;
    const uint64_t variance = difference(squares << LINK_PROB_FRAC, (uint64_t)total * total);
    return variance >= triage.variance;
}

static void put_aside(const uint32_t *record)
{
    uint32_t *const to = triage.place + triage.waiting * PLACE_WORDS;
    to[0] = triage.points;
    for (uint32_t i = 1; i < PLACE_WORDS; i++)
        to[i] = record[i];
    triage.waiting++;
    triage.doubtful++;
}

static void judge(const uint32_t *record)
{
    const uint64_t sum = (uint64_t)record[2] << WORD_BITS | record[1];
    const uint64_t square = (uint64_t)record[4] << WORD_BITS | record[3];
    const uint32_t bit = triage.points % WORD_BITS;
    uint32_t *const answers = triage.answers + triage.points / WORD_BITS;
    const uint32_t positive = sum >= (uint64_t)triage.samples << (LINK_PROB_FRAC - 1u) ? 1u : 0u;
    *answers = (bit == 0 ? 0 : *answers) | positive << bit;
    triage.positive += positive;
    if (near_the_boundary(sum) || MUTANT(VARIANCE_IGNORED, disagreed(sum, square), false))
        put_aside(record);
    triage.points++;
}

// -- messages ------------------------------------------------------------------------------------
static void send(void)
{
    uint8_t *const message = link_message();
    message[MESSAGE_TYPE_at] = MESSAGE_DOUBTFUL;
    message[MESSAGE_STATUS_at] = STATUS_OK;
    put16(message + MESSAGE_REQUEST_at, 0);
    uint8_t *to = message + MESSAGE_bytes;
    for (uint32_t i = 0; i < triage.waiting * PLACE_WORDS; i++, to += WORD_bytes)
        put32(to, triage.place[i]);
    link_commit(MESSAGE_bytes + triage.waiting * DOUBTFUL_bytes);
    triage.waiting = 0;
}

void triage_poll(void)
{
    uint32_t record[RECORD_WORDS];
    for (uint32_t left = POINTS_OF_A_POLL; left != 0 && triage.waiting < PLACES; left--) {
        if (!records_take(record, RECORD_WORDS))
            break;
        judge(record);
    }
    const bool due = triage.waiting == PLACES || !link_unacknowledged();
    if (triage.waiting != 0 && due && records_have_room())
        send();
}

// -- answers -------------------------------------------------------------------------------------
enum status triage_answers(const struct request *request, struct answer *answer)
{
    if (request->length != ANSWERS_bytes)
        return STATUS_MALFORMED;
    const uint32_t first = get32(request->body + ANSWERS_FIRST_at);
    const uint32_t words = get16(request->body + ANSWERS_WORDS_at);
    const uint32_t there = (triage.points + WORD_BITS - 1u) / WORD_BITS;
    if (words > (LINK_MAX_BODY - ANSWERS_RESULT_bytes) / WORD_bytes)
        return STATUS_MALFORMED;
    if (first > there || words > there - first)
        return STATUS_OUT_OF_RANGE;
    if (triage.active)
        return STATUS_BUSY;
    put32(answer->body + ANSWERS_RESULT_SAMPLES_at, triage.samples);
    put32(answer->body + ANSWERS_RESULT_POINTS_at, triage.points);
    put32(answer->body + ANSWERS_RESULT_POSITIVE_at, triage.positive);
    put32(answer->body + ANSWERS_RESULT_DOUBTFUL_at, triage.doubtful);
    uint8_t *to = answer->body + ANSWERS_RESULT_bytes;
    for (uint32_t i = 0; i < words; i++, to += WORD_bytes)
        put32(to, triage.answers[first + i]);
    answer->length = ANSWERS_RESULT_bytes + words * WORD_bytes;
    return STATUS_OK;
}
