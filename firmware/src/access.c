#include "access.h"

#include <stdbool.h>

#include "bytes.h"
#include "chain.h"
#include "hal.h"
#include "link_tables.h"
#include "mutant.h"

#define FIELD_NUMBER_bytes 2u
#define WORD_bytes 4u

// Mask of the bits of a field, shifted to bit 0
static inline uint32_t mask_of(const struct link_field *field)
{
    return UINT32_MAX >> (32u - field->width);
}

// -- fields --------------------------------------------------------------------------------------
static enum status check_write(const uint8_t *item)
{
    const uint16_t number = get16(item + WRITE_FIELD_at);
    if (number >= LINK_FIELDS || !FIELDS[number].writable)
        return STATUS_UNKNOWN_NAME;
    const bool fits = (get32(item + WRITE_VALUE_at) & ~mask_of(&FIELDS[number])) == 0;
    return fits ? STATUS_OK : STATUS_OUT_OF_RANGE;
}

static void write_field(const uint8_t *item)
{
    const struct link_field *const field = &FIELDS[get16(item + WRITE_FIELD_at)];
    const uint32_t value = get32(item + WRITE_VALUE_at) << field->low;
    const uint32_t others = core_read(field->address) & ~(mask_of(field) << field->low);
    core_write(field->address, others | value);
}

// The model of a started chain is fixed; the number of points is not, because PREDICT has its own
_Static_assert(OHMCARLO__MODEL__POINTS_addr < OHMCARLO__MODEL__FEATURES_addr &&
                   OHMCARLO__MODEL__OPTIONS_addr < OHMCARLO__PROPOSAL__RHO_addr,
               "the fields of the model lie between these addresses");

static bool is_fixed(const uint8_t *item)
{
    const uint32_t at = FIELDS[get16(item + WRITE_FIELD_at)].address;
    return at >= OHMCARLO__MODEL__FEATURES_addr && at < OHMCARLO__PROPOSAL__RHO_addr;
}

enum status access_write(const struct request *request, struct answer *answer)
{
    (void)answer;
    const uint8_t *const end = request->body + request->length;
    if (request->length == 0 || (request->length & (WRITE_bytes - 1u)) != 0)
        return STATUS_MALFORMED;
    for (const uint8_t *item = request->body; item != end; item += WRITE_bytes) {
        const enum status status = check_write(item);
        if (status != STATUS_OK)
            return status;
    }
    if (chain_busy())
        return STATUS_BUSY;
    const bool started = (core_state() & CORE_STATE(STARTED)) != 0;
    for (const uint8_t *item = request->body; item != end; item += WRITE_bytes)
        if (started && MUTANT(MODEL_OF_A_STARTED_CHAIN, is_fixed(item), false))
            return STATUS_STARTED;
    for (const uint8_t *item = request->body; item != end; item += WRITE_bytes)
        write_field(item);
    return STATUS_OK;
}

enum status access_read(const struct request *request, struct answer *answer)
{
    const uint32_t count = request->length / FIELD_NUMBER_bytes;
    const bool odd = (request->length & (FIELD_NUMBER_bytes - 1u)) != 0;
    if (odd || count == 0 || count > LINK_MAX_BODY / WORD_bytes)
        return STATUS_MALFORMED;
    for (uint32_t i = 0; i < count; i++) {
        const uint16_t number = get16(request->body + i * FIELD_NUMBER_bytes);
        if (number >= LINK_FIELDS || !FIELDS[number].readable)
            return STATUS_UNKNOWN_NAME;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint16_t number = get16(request->body + i * FIELD_NUMBER_bytes);
        const struct link_field *const field = &FIELDS[number];
        const uint32_t value = core_read(field->address) >> field->low & mask_of(field);
        put32(answer->body + i * WORD_bytes, value);
    }
    answer->length = count * WORD_bytes;
    return STATUS_OK;
}

// -- windows -------------------------------------------------------------------------------------
// The window of the request, or null
static const struct link_window *window_of(const struct request *request)
{
    const uint16_t number = get16(request->body + WINDOW_WINDOW_at);
    return number < LINK_WINDOWS && WINDOWS[number].words != 0 ? &WINDOWS[number] : 0;
}

static bool inside(const struct link_window *window, uint32_t first, uint32_t words)
{
    return first < window->words && words <= window->words - first;
}

enum status access_load(const struct request *request, struct answer *answer)
{
    (void)answer;
    const uint32_t words = (request->length - WINDOW_bytes) / WORD_bytes;
    const bool odd = (request->length & (WORD_bytes - 1u)) != 0;
    if (request->length <= WINDOW_bytes || odd)
        return STATUS_MALFORMED;
    const struct link_window *const window = window_of(request);
    if (window == 0 || !window->writable)
        return STATUS_UNKNOWN_NAME;
    const uint32_t first = get32(request->body + WINDOW_FIRST_at);
    if (!inside(window, first, words))
        return STATUS_OUT_OF_RANGE;
    if (chain_busy())
        return STATUS_BUSY;
    const uint8_t *word = request->body + WINDOW_bytes;
    uint32_t at = window->address + first * WORD_bytes;
    for (const uint32_t end = at + words * WORD_bytes; at != end; at += WORD_bytes) {
        core_write(at, get32(word));
        word += WORD_bytes;
    }
    return STATUS_OK;
}

enum status access_unload(const struct request *request, struct answer *answer)
{
    if (request->length != WINDOW_bytes + sizeof(uint16_t))
        return STATUS_MALFORMED;
    const struct link_window *const window = window_of(request);
    if (window == 0 || !window->readable)
        return STATUS_UNKNOWN_NAME;
    const uint32_t first = get32(request->body + WINDOW_FIRST_at);
    const uint32_t words = get16(request->body + WINDOW_bytes);
    const bool fits = words != 0 && words <= LINK_MAX_BODY / WORD_bytes;
    if (!fits || !inside(window, first, words))
        return STATUS_OUT_OF_RANGE;
    if (chain_busy())
        return STATUS_BUSY;
    for (uint32_t i = 0; i < words; i++)
        put32(answer->body + i * WORD_bytes, core_read(window->address + (first + i) * WORD_bytes));
    answer->length = words * WORD_bytes;
    return STATUS_OK;
}
