#include "link.h"

#include "bytes.h"
#include "frame.h"
#include "hal.h"
#include "mutant.h"

#define PAYLOAD_WORDS (LINK_MAX_PAYLOAD / 4)
#define HALF 0x8000u // a sequence number that is further ahead counts as one behind

_Static_assert(LINK_MAX_PAYLOAD % 4 == 0, "payloads are copied as words");
_Static_assert((LINK_WINDOW & (LINK_WINDOW - 1)) == 0, "the window is a power of two");

// A message until it is acknowledged
struct slot {
    uint32_t words[FRAME_HEADER_WORDS + PAYLOAD_WORDS];
    uint32_t length; // bytes of the payload
};

enum phase { CLOSED, OPENING, OPEN };

struct header {
    uint8_t version;
    uint8_t kind;
    uint16_t session;
    uint16_t sequence;
    uint16_t acknowledgement;
};

struct link {
    enum phase phase;
    uint16_t session;
    bool fresh;        // no message was exchanged in this session yet
    uint32_t patience; // clocks until messages are sent again
    uint32_t since;    // clock at the start of waiting for an acknowledgement

    uint16_t base;   // first message that is not acknowledged
    uint16_t cursor; // next message to send
    uint16_t sent;   // first message that was never sent
    uint16_t next;   // next message to write: base ≤ cursor ≤ sent ≤ next ≤ base + window
    bool went_back;  // messages from `base` on were repeated after a NACK

    uint16_t expected; // next message of the host
    bool asked_again;  // a NACK for `expected` was sent
    bool turned_away;  // that message was discarded, because the window had no room for its answer

    bool owe_ack;
    bool owe_nack;
    bool owe_opened;
    bool owe_unknown;
    uint16_t unknown; // session of the frame that UNKNOWN answers

    struct slot slots[LINK_WINDOW];
    uint32_t opened[FRAME_HEADER_WORDS + (IDENTIFICATION_bytes + 3) / 4];
};

static struct link link;

static inline uint16_t distance(uint16_t from, uint16_t to)
{
    return (uint16_t)(to - from);
}

static inline struct slot *slot_of(uint16_t sequence)
{
    return &link.slots[sequence % LINK_WINDOW];
}

void link_reset(void)
{
    frame_reset();
    link.phase = CLOSED;
    link.base = link.cursor = link.sent = link.next = 0;
    link.owe_ack = link.owe_nack = link.owe_opened = link.owe_unknown = false;
}

// -- sessions ------------------------------------------------------------------------------------
static uint32_t clip(uint32_t patience)
{
    if (patience < LINK_MIN_PATIENCE)
        return LINK_MIN_PATIENCE;
    return patience > LINK_MAX_PATIENCE ? LINK_MAX_PATIENCE : patience;
}

static void ask_to_open(uint16_t session, uint32_t patience)
{
    link.patience = clip(patience);
    if (link.phase == OPEN && link.session == session && link.fresh) {
        link.owe_opened = true; // the answer was lost
        return;
    }
    link.phase = OPENING;
    link.session = session;
    link.base = link.cursor = link.sent = link.next = 0;
    link.owe_ack = link.owe_nack = link.owe_opened = false;
}

bool link_opening(void)
{
    return link.phase == OPENING;
}

void link_open(const uint8_t *identification, uint32_t length)
{
    uint8_t *payload = (uint8_t *)(link.opened + FRAME_HEADER_WORDS);
    for (uint32_t i = 0; i < length; i++)
        payload[i] = identification[i];
    link.phase = OPEN;
    link.fresh = true;
    link.expected = 0;
    link.asked_again = link.turned_away = link.went_back = false;
    link.owe_opened = true;
}

// -- receiving -----------------------------------------------------------------------------------
static struct header header_of(const uint8_t *bytes)
{
    return (struct header){
        .version = bytes[HEADER_VERSION_at],
        .kind = bytes[HEADER_KIND_at],
        .session = get16(bytes + HEADER_SESSION_at),
        .sequence = get16(bytes + HEADER_SEQUENCE_at),
        .acknowledgement = get16(bytes + HEADER_ACKNOWLEDGEMENT_at),
    };
}

// False: the frame acknowledges a message that was never sent, and is discarded. A repeated frame
// may carry an old acknowledgement, which is ignored.
static bool acknowledge(uint16_t acknowledgement)
{
    const uint16_t done = distance(link.base, acknowledgement);
    if (done == 0 || done >= HALF)
        return MUTANT(OLD_ACKNOWLEDGEMENT_DISCARDED, true, done == 0);
    if (done > distance(link.base, MUTANT(UNSENT_IS_ACKNOWLEDGED, link.sent, link.next)))
        return false;
    if (MUTANT(CURSOR_STAYS_BEHIND, done, 0u) > distance(link.base, link.cursor))
        link.cursor = acknowledgement;
    link.base = acknowledgement;
    link.went_back = MUTANT(GOES_BACK_ONCE_ONLY, false, link.went_back);
    link.since = MUTANT(PATIENCE_FROM_THE_FIRST_MESSAGE, hal_clocks(), link.since);
    return true;
}

static void ask_again(void)
{
    if (MUTANT(NACK_FOR_EVERY_FRAME, link.asked_again, false))
        return;
    link.asked_again = true;
    link.owe_nack = true;
}

static void go_back(void)
{
    if (MUTANT(GOES_BACK_AGAIN_AND_AGAIN, link.went_back, false))
        return;
    link.went_back = true;
    link.cursor = link.base;
}

// True: this is the next message, and there is room for its answer
static bool take_message(uint16_t sequence)
{
    if (sequence != link.expected) {
        if (distance(link.expected, sequence) < HALF)
            ask_again(); // messages before it are missing
        else
            link.owe_ack = true; // a repetition: it is acknowledged again and not executed
        return false;
    }
    if (MUTANT(ANSWER_WITHOUT_ROOM, link_room() == 0, false)) {
        link.turned_away = true;
        return false;
    }
    link.expected++;
    link.fresh = false;
    link.asked_again = MUTANT(NACK_ONCE_ONLY, false, link.asked_again);
    link.turned_away = link.owe_nack = false;
    link.owe_ack = true;
    return true;
}

static bool in_session(const struct header *header, uint32_t payload)
{
    if (!acknowledge(header->acknowledgement))
        return false;
    if (header->kind == KIND_DATA)
        return take_message(header->sequence);
    if (payload != 0)
        return false;
    if (header->kind == KIND_NACK)
        go_back();
    else if (header->kind == KIND_POLL)
        link.owe_ack = true;
    return false;
}

static bool from_host(uint8_t kind)
{
    return kind == KIND_DATA || kind == KIND_ACK || kind == KIND_NACK || kind == KIND_POLL;
}

static bool take_frame(void)
{
    const struct header header = header_of(frame_bytes());
    const uint32_t payload = frame_length() - LINK_HEADER_BYTES;
    const bool speaks = header.version == LINK_PROTOCOL_VERSION;
    if (speaks && header.kind == KIND_OPEN) {
        if (payload == OPEN_bytes)
            ask_to_open(header.session, get32(frame_bytes() + LINK_HEADER_BYTES));
        return false;
    }
    if (speaks && !from_host(header.kind))
        return false;
    if (!speaks || link.phase == CLOSED || link.session != header.session) {
        link.owe_unknown = true;
        link.unknown = header.session;
        return false;
    }
    return link.phase == OPEN && in_session(&header, payload);
}

bool link_receive(void)
{
    switch (frame_receive()) {
    case FRAME_WHOLE:
        return take_frame();
    case FRAME_DAMAGED:
        if (link.phase == OPEN)
            ask_again();
        return false;
    case FRAME_NONE:
    default:
        return false;
    }
}

struct link_request link_request(void)
{
    return (struct link_request){
        .message = frame_bytes() + LINK_HEADER_BYTES,
        .length = frame_length() - LINK_HEADER_BYTES,
    };
}

// -- sending -------------------------------------------------------------------------------------
uint32_t link_room(void)
{
    return link.phase == OPEN ? (uint32_t)(LINK_WINDOW - distance(link.base, link.next)) : 0u;
}

bool link_unacknowledged(void)
{
    return link.base != link.next;
}

uint8_t *link_message(void)
{
    return (uint8_t *)(slot_of(link.next)->words + FRAME_HEADER_WORDS);
}

void link_commit(uint32_t length)
{
    slot_of(link.next)->length = length;
    if (!link_unacknowledged())
        link.since = hal_clocks();
    link.next++;
    link.fresh = false;
}

static void send(uint32_t *words, uint8_t kind, uint16_t session, uint16_t sequence,
                 uint32_t payload)
{
    words[0] = LINK_PROTOCOL_VERSION | (uint32_t)kind << 8 | (uint32_t)session << 16;
    words[1] = sequence | (uint32_t)link.expected << 16;
    frame_send(words, LINK_HEADER_BYTES + payload);
}

static void send_bare(uint8_t kind, uint16_t session)
{
    uint32_t words[FRAME_HEADER_WORDS];
    send(words, kind, session, link.next, 0);
}

static void send_message(void)
{
    struct slot *const slot = slot_of(link.cursor);
    send(slot->words, KIND_DATA, link.session, link.cursor, slot->length);
    if (link.cursor == link.sent)
        link.sent++;
    link.cursor++;
    link.owe_ack = false;
}

// Everything was sent, and no acknowledgement arrived in time: repeat all of it
static void watch_patience(void)
{
    const uint32_t now = hal_clocks();
    const bool sending = MUTANT(PATIENCE_WHILE_SENDING, !frame_all_sent(), false);
    if (!link_unacknowledged() || link.cursor != link.next || sending)
        link.since = now;
    else if (now - link.since > link.patience)
        link.cursor = link.base;
}

bool link_owes(void)
{
    return link.cursor != link.next || link.owe_ack || link.owe_nack || link.owe_opened ||
           link.owe_unknown;
}

static void send_due(void)
{
    if (link.owe_opened) {
        link.owe_opened = false;
        send(link.opened, KIND_OPENED, link.session, 0, IDENTIFICATION_bytes);
    } else if (link.owe_unknown) {
        link.owe_unknown = false;
        send_bare(KIND_UNKNOWN, link.unknown);
    } else if (link.owe_nack) {
        link.owe_nack = link.owe_ack = false;
        send_bare(KIND_NACK, link.session);
    } else if (link.cursor != link.next) {
        send_message();
    } else if (link.owe_ack) {
        link.owe_ack = false;
        send_bare(KIND_ACK, link.session);
    }
}

void link_send(void)
{
    if (link.turned_away && link_room() > 0) {
        link.turned_away = false;
        link.owe_nack = true;
    }
    watch_patience();
    if (link_owes() && frame_room())
        send_due();
}
