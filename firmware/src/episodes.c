#include "episodes.h"

#include "bytes.h"
#include "cartpole.h"
#include "chain.h"
#include "link.h"
#include "records.h"

#define STEPS_OF_A_POLL 8u
#define STEPS_bytes 2u
#define CODE_MASK 0xFFFFu // of g+ in the word of a pair; g- is above it

_Static_assert(EPISODE_RESULT_bytes + MAX_EPISODES * STEPS_bytes <= LINK_MAX_BODY,
               "one message holds the result");

// Purpose of the episodes
enum purpose { NOTHING, ANSWER, PROPOSAL };

struct episodes {
    enum purpose purpose;
    uint16_t number; // of the request
    int16_t weights[POLICY_INPUTS];
    uint32_t seed;
    uint32_t first;
    uint32_t count;
    uint32_t done;
    uint32_t steps_of[MAX_EPISODES];
    struct cartpole state;
};

// Evaluation of proposals; without episodes (count 0), the host evaluates them
struct policy {
    uint32_t seed;
    uint32_t first;
    uint32_t scale;
    uint32_t count;
};

static struct episodes episodes;
static struct policy policy;

void episodes_reset(void)
{
    episodes.purpose = NOTHING;
    policy.count = 0;
    chain_judge(0);
}

bool episodes_busy(void)
{
    return episodes.purpose != NOTHING;
}

static bool weights_fit(const uint8_t *body)
{
    for (uint32_t i = 0; i < POLICY_INPUTS; i++) {
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

static void begin(enum purpose purpose, uint32_t seed, uint32_t first, uint32_t count)
{
    episodes.purpose = purpose;
    episodes.seed = seed;
    episodes.first = first;
    episodes.count = count;
    episodes.done = 0;
    begin_episode();
}

enum status episodes_request(const struct request *request, struct answer *answer)
{
    (void)answer;
    if (request->length != EPISODE_bytes)
        return STATUS_MALFORMED;
    const uint32_t count = get16(request->body + EPISODE_EPISODES_at);
    if (count == 0 || count > MAX_EPISODES || !weights_fit(request->body))
        return STATUS_OUT_OF_RANGE;
    if (episodes_busy())
        return STATUS_BUSY;
    episodes.number = request->number;
    for (uint32_t i = 0; i < POLICY_INPUTS; i++)
        episodes.weights[i] = (int16_t)get16(request->body + EPISODE_WEIGHT0_at + 2u * i);
    begin(ANSWER, get32(request->body + EPISODE_SEED_at), get32(request->body + EPISODE_FIRST_at),
          count);
    return STATUS_LATER;
}

enum status episodes_policy(const struct request *request, struct answer *answer)
{
    (void)answer;
    if (request->length != POLICY_bytes)
        return STATUS_MALFORMED;
    const uint32_t count = get16(request->body + POLICY_EPISODES_at);
    const uint32_t scale = get32(request->body + POLICY_SCALE_at);
    if (count > MAX_EPISODES || scale > MAX_SCALE)
        return STATUS_OUT_OF_RANGE;
    if (chain_busy() || episodes_busy())
        return STATUS_BUSY;
    policy = (struct policy){
        .seed = get32(request->body + POLICY_SEED_at),
        .first = get32(request->body + POLICY_FIRST_at),
        .scale = scale,
        .count = count,
    };
    chain_judge(count == 0 ? 0 : POLICY_INPUTS);
    return STATUS_OK;
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

static uint32_t all_steps(void)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < episodes.count; i++)
        total += episodes.steps_of[i];
    return total;
}

static void report(void)
{
    uint8_t *const message = link_message();
    uint8_t *const body = message + MESSAGE_bytes;
    uint8_t *to = body + EPISODE_RESULT_bytes;
    for (uint32_t i = 0; i < episodes.count; i++, to += STEPS_bytes)
        put16(to, (uint16_t)episodes.steps_of[i]);
    message[MESSAGE_TYPE_at] = MESSAGE_RESPONSE;
    message[MESSAGE_STATUS_at] = STATUS_OK;
    put16(message + MESSAGE_REQUEST_at, episodes.number);
    put32(body + EPISODE_RESULT_STEPS_at, all_steps());
    link_commit((uint32_t)(to - message));
}

// -- a proposal of the chain ---------------------------------------------------------------------
// Its record is the last one in the stream: one word for each pair
static void judge_proposal(void)
{
    const uint32_t first = records_end() - POLICY_INPUTS;
    for (uint32_t i = 0; i < POLICY_INPUTS; i++) {
        const uint32_t pair = records_word(first + i);
        episodes.weights[i] = (int16_t)((int32_t)(pair & CODE_MASK) - (int32_t)(pair >> 16));
    }
    begin(PROPOSAL, policy.seed, policy.first, policy.count);
}

static void give_log_likelihood(void)
{
    chain_give_external(
        (uint32_t)cartpole_log_likelihood(all_steps(), episodes.count, policy.scale));
}

// -- both purposes -------------------------------------------------------------------------------
static void end(void)
{
    if (episodes.purpose == PROPOSAL)
        give_log_likelihood();
    else if (link_room() > 0)
        report();
    else
        return;
    episodes.purpose = NOTHING;
}

void episodes_poll(void)
{
    if (!episodes_busy() && policy.count != 0 && chain_proposal_waits())
        judge_proposal();
    if (episodes.purpose == PROPOSAL && !chain_waits_external())
        episodes.purpose = NOTHING; // the chain was ended
    if (!episodes_busy())
        return;
    for (uint32_t i = 0; i < STEPS_OF_A_POLL && episodes.done != episodes.count; i++)
        step();
    if (episodes.done == episodes.count)
        end();
}
