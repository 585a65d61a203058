#include "records.h"

#include "bytes.h"
#include "hal.h"
#include "link.h"
#include "mutant.h"

#define HEAD_BYTES (MESSAGE_bytes + RECORDS_bytes)
#define FULL_WORDS ((LINK_MAX_PAYLOAD - HEAD_BYTES) / 4u)
#define ON_THEIR_WAY 16u // words between the controller and the ring, at most
#define RESERVED 2u      // messages that records leave room for: an answer, and FINISHED

_Static_assert(HEAD_BYTES % 4 == 0, "words are copied as words");

static inline uint32_t received(void)
{
    return board_read(OHMCARLO_BOARD__RECORDS__RECEIVED_addr);
}

static inline uint32_t taken(void)
{
    return board_read(OHMCARLO_BOARD__RECORDS__TAKEN_addr);
}

uint32_t records_end(void)
{
    return received();
}

uint32_t records_word(uint32_t number)
{
    return board_read(RING_AT(RECORDS_RING, number));
}

bool records_full(void)
{
    return received() - taken() > OHMCARLO_BOARD__RECORDS_RING_words - ON_THEIR_WAY;
}

bool records_waiting(void)
{
    return received() != taken();
}

bool records_hold(uint32_t words)
{
    return received() - taken() >= words;
}

void records_drop(void)
{
    board_write(OHMCARLO_BOARD__RECORDS__TAKEN_addr, received());
}

bool records_take(uint32_t *words, uint32_t count)
{
    const uint32_t first = taken();
    if (!records_hold(count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        words[i] = records_word(first + i);
    board_write(OHMCARLO_BOARD__RECORDS__TAKEN_addr, first + count);
    return true;
}

bool records_have_room(void)
{
    const uint32_t reserved = RESERVED - MUTANT(RECORDS_LEAVE_ONE_PLACE, 0u, 1u) +
                              MUTANT(RECORDS_LEAVE_THREE_PLACES, 0u, 1u);
    return link_room() > reserved;
}

static void send_words(uint32_t first, uint32_t words)
{
    uint8_t *const message = link_message();
    message[MESSAGE_TYPE_at] = MESSAGE_RECORDS;
    message[MESSAGE_STATUS_at] = STATUS_OK;
    put16(message + MESSAGE_REQUEST_at, 0);
    put32(message + MESSAGE_bytes + RECORDS_NUMBER_at, first);
    uint8_t *to = message + HEAD_BYTES;
    for (uint32_t i = 0; i < words; i++, to += 4)
        put32(to, records_word(first + i));
    board_write(OHMCARLO_BOARD__RECORDS__TAKEN_addr, first + words);
    link_commit(HEAD_BYTES + 4u * words);
}

// A full message is sent at once, a smaller one only if no other message is under way
void records_poll(void)
{
    const uint32_t first = taken();
    const uint32_t words = received() - first;
    if (words == 0 || !records_have_room())
        return;
    if (words >= FULL_WORDS)
        send_words(first, FULL_WORDS);
    else if (!link_unacknowledged())
        send_words(first, words);
}
