#include "episodes.h"

#include "bytes.h"
#include "cartpole.h"
#include "link.h"
#include "spec_cartpole.h"

#define STEPS_OF_A_POLL 8u
#define STEPS_bytes 2u

_Static_assert(EPISODE_RESULT_bytes + MAX_EPISODES * STEPS_bytes <= LINK_MAX_BODY,
               "one message holds the result");

struct episodes {
    bool busy;
    uint16_t number; // of the request
    int16_t weights[CARTPOLE_VARIABLES];
    uint32_t seed;
    uint32_t first;
    uint32_t count;
    uint32_t done;
    uint32_t steps_of[MAX_EPISODES];
    struct cartpole state;
};

static struct episodes episodes;

void episodes_reset(void)
{
    episodes.busy = false;
}

bool episodes_busy(void)
{
    return episodes.busy;
}

static bool weights_fit(const uint8_t *body)
{
    for (uint32_t i = 0; i < CARTPOLE_VARIABLES; i++) {
        const int16_t weight = (int16_t)get16(body + EPISODE_WEIGHT0_at + 2u * i);
        if (weight > (int16_t)WEIGHT_MAX || weight < -(int16_t)WEIGHT_MAX)
            return false;
    }
    return true;
}

static void begin_episode(void)
{
    episodes.state = cartpole_begin(episodes.seed, episodes.first + episodes.done);
    episodes.steps_of[episodes.done] = 0;
}

enum status episodes_request(const struct request *request, struct answer *answer)
{
    (void)answer;
    if (request->length != EPISODE_bytes)
        return STATUS_MALFORMED;
    const uint32_t count = get16(request->body + EPISODE_EPISODES_at);
    if (count == 0 || count > MAX_EPISODES || !weights_fit(request->body))
        return STATUS_OUT_OF_RANGE;
    if (episodes.busy)
        return STATUS_BUSY;
    episodes.busy = true;
    episodes.number = request->number;
    for (uint32_t i = 0; i < CARTPOLE_VARIABLES; i++)
        episodes.weights[i] = (int16_t)get16(request->body + EPISODE_WEIGHT0_at + 2u * i);
    episodes.seed = get32(request->body + EPISODE_SEED_at);
    episodes.first = get32(request->body + EPISODE_FIRST_at);
    episodes.count = count;
    episodes.done = 0;
    begin_episode();
    return STATUS_LATER;
}

static void step(void)
{
    struct cartpole *const state = &episodes.state;
    uint32_t *const steps = &episodes.steps_of[episodes.done];
    cartpole_step(state, cartpole_action(state, episodes.weights));
    (*steps)++;
    if (!cartpole_fallen(state) && *steps != EPISODE_STEPS)
        return;
    episodes.done++;
    if (episodes.done != episodes.count)
        begin_episode();
}

static void report(void)
{
    uint8_t *const message = link_message();
    uint8_t *const body = message + MESSAGE_bytes;
    uint8_t *to = body + EPISODE_RESULT_bytes;
    uint32_t total = 0;
    for (uint32_t i = 0; i < episodes.count; i++, to += STEPS_bytes) {
        total += episodes.steps_of[i];
        put16(to, (uint16_t)episodes.steps_of[i]);
    }
    message[MESSAGE_TYPE_at] = MESSAGE_RESPONSE;
    message[MESSAGE_STATUS_at] = STATUS_OK;
    put16(message + MESSAGE_REQUEST_at, episodes.number);
    put32(body + EPISODE_RESULT_STEPS_at, total);
    link_commit((uint32_t)(to - message));
}

void episodes_poll(void)
{
    if (!episodes.busy)
        return;
    for (uint32_t i = 0; i < STEPS_OF_A_POLL && episodes.done != episodes.count; i++)
        step();
    if (episodes.done == episodes.count && link_room() > 0) {
        episodes.busy = false;
        report();
    }
}
