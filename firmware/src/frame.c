#include "frame.h"

#include "hal.h"
#include "mutant.h"

_Static_assert(OHMCARLO_BOARD__TX_words >= LINK_MAX_WIRE, "a frame must fit into the ring");
_Static_assert(OHMCARLO_BOARD__RX_words >= LINK_WINDOW * LINK_MAX_WIRE,
               "frames under way must fit into the ring");

#define RUN_MAX 255u // COBS: a code byte, and at most 254 bytes without a zero

struct receiver {
    uint32_t words[FRAME_WORDS];
    uint32_t count; // bytes decoded
    uint32_t left;  // bytes until the next code byte
    bool begun;     // a code byte was received
    bool zero;      // a zero precedes the next run
    bool damaged;
    uint32_t length;
};

static struct receiver receiver;

// -- checksum ------------------------------------------------------------------------------------
static inline void crc_begin(void)
{
    board_write(OHMCARLO_BOARD__CRC__START_addr, OHMCARLO_BOARD__CRC__START__START_bm);
}

static inline void crc_add(uint8_t byte)
{
    board_write(OHMCARLO_BOARD__CRC__BYTE_addr, byte | OHMCARLO_BOARD__CRC__BYTE__STROBE_bm);
}

static inline uint32_t crc_value(void)
{
    return board_read(OHMCARLO_BOARD__CRC__VALUE_addr);
}

static bool crc_fits(const uint8_t *bytes, uint32_t count)
{
    crc_begin();
    for (; count >= 4; count -= 4, bytes += 4) {
        crc_add(bytes[0]);
        crc_add(bytes[1]);
        crc_add(bytes[2]);
        crc_add(bytes[3]);
    }
    for (; count != 0; count--, bytes++)
        crc_add(*bytes);
    return crc_value() == LINK_CRC_RESIDUE;
}

// -- receiving -----------------------------------------------------------------------------------
static inline void begin_frame(void)
{
    receiver.count = 0;
    receiver.left = 0;
    receiver.begun = false;
    receiver.zero = false;
    receiver.damaged = false;
}

void frame_reset(void)
{
    begin_frame();
    receiver.length = 0;
}

static inline void store_zero(void)
{
    if (receiver.count == LINK_MAX_FRAME) {
        receiver.damaged = true;
        return;
    }
    ((uint8_t *)receiver.words)[receiver.count] = 0;
    receiver.count++;
}

// A code byte: writes the zero of the previous run and gives the length of the next one
static inline void start_run(uint8_t code)
{
    if (receiver.zero)
        store_zero();
    receiver.left = code - 1u;
    receiver.zero = code != RUN_MAX;
    receiver.begun = true;
}

static enum frame_event end_frame(void)
{
    const uint32_t count = receiver.count;
    const bool empty = !receiver.begun;
    const bool whole =
        !receiver.damaged &&
        count >= LINK_HEADER_BYTES + LINK_CRC_BYTES - MUTANT(SHORT_FRAME_TAKEN, 0u, 1u) &&
        crc_fits(frame_bytes(), count);
    begin_frame();
    if (empty)
        return FRAME_NONE; // zeros between frames
    if (!whole)
        return FRAME_DAMAGED;
    receiver.length = count - LINK_CRC_BYTES;
    return FRAME_WHOLE;
}

static inline uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

// Copies the received part of the present run, up to the end of the ring. A zero within the run and
// a frame that is too long are damage.
static uint32_t take_run(uint32_t taken, uint32_t received)
{
    uint8_t *const start = (uint8_t *)receiver.words + receiver.count;
    const uint32_t room = LINK_MAX_FRAME - receiver.count;
    const uint32_t to_end = OHMCARLO_BOARD__RX_words - taken % OHMCARLO_BOARD__RX_words;
    const uint32_t here = MUTANT(RUN_BEYOND_THE_RING, to_end, UINT32_MAX);
    const uint32_t limit = least(least(receiver.left, received - taken), here);
    receiver.damaged = limit > room;
    uint32_t at = RING_AT(RX, taken);
    uint8_t *to = start;
    for (const uint8_t *end = start + least(limit, room); to != end; to++, at += 4) {
        const uint32_t byte = board_read(at);
        if (byte == 0) {
            receiver.damaged = true;
            break;
        }
        *to = (uint8_t)byte;
    }
    const uint32_t count = (uint32_t)(to - start);
    receiver.count += count;
    receiver.left -= count;
    return taken + count;
}

enum frame_event frame_receive(void)
{
    const uint32_t received = board_read(OHMCARLO_BOARD__UART__RECEIVED_addr);
    uint32_t taken = board_read(OHMCARLO_BOARD__UART__TAKEN_addr);
    if (taken == received)
        return FRAME_NONE;
    enum frame_event event = FRAME_NONE;
    while (taken != received && event == FRAME_NONE) {
        if (receiver.left != 0 && !receiver.damaged) {
            taken = take_run(taken, received);
            continue;
        }
        const uint8_t byte = (uint8_t)board_read(RING_AT(RX, taken));
        taken++;
        if (byte == 0)
            event = end_frame();
        else if (!receiver.damaged)
            start_run(byte);
    }
    board_write(OHMCARLO_BOARD__UART__TAKEN_addr, taken);
    return event;
}

const uint8_t *frame_bytes(void)
{
    return (const uint8_t *)receiver.words;
}

uint32_t frame_length(void)
{
    return receiver.length;
}

bool frame_waiting(void)
{
    return board_read(OHMCARLO_BOARD__UART__RECEIVED_addr) !=
           board_read(OHMCARLO_BOARD__UART__TAKEN_addr);
}

// -- sending -------------------------------------------------------------------------------------
struct sender {
    uint32_t put;     // number of the next byte in the ring
    uint32_t code_at; // number of the code byte of the present run, which is written last
};

// `run`: the code byte, the length of the run including itself
static inline void end_run(struct sender *to, uint32_t run)
{
    board_write(RING_AT(TX, to->code_at), run);
    to->code_at = to->put;
}

// A zero is replaced by the code byte of the next run
static inline void encode(struct sender *to, uint8_t byte)
{
    uint32_t run = to->put - to->code_at;
    if (run == RUN_MAX) {
        end_run(to, run);
        to->put++;
        run = 1;
    }
    if (byte == 0)
        end_run(to, run);
    else
        board_write(RING_AT(TX, to->put), byte);
    to->put++;
}

bool frame_all_sent(void)
{
    return board_read(OHMCARLO_BOARD__UART__PUT_addr) ==
           board_read(OHMCARLO_BOARD__UART__SENT_addr);
}

bool frame_room(void)
{
    const uint32_t waiting =
        board_read(OHMCARLO_BOARD__UART__PUT_addr) - board_read(OHMCARLO_BOARD__UART__SENT_addr);
    const uint32_t most = OHMCARLO_BOARD__TX_words - LINK_MAX_WIRE;
    return waiting <= most + MUTANT(TOO_LITTLE_ROOM_FOR_A_FRAME, 0u, 1u) -
                          MUTANT(TOO_MUCH_ROOM_FOR_A_FRAME, 0u, 1u);
}

void frame_send(const uint32_t *words, uint32_t length)
{
    const uint8_t *byte = (const uint8_t *)words;
    const uint32_t put = board_read(OHMCARLO_BOARD__UART__PUT_addr);
    const uint32_t first = put + MUTANT(NO_ZERO_BEFORE_A_FRAME, 1u, 0u);
    struct sender to = {.put = first + 1u, .code_at = first};
    board_write(RING_AT(TX, put), 0); // ends noise that the host received on the idle line
    crc_begin();
    for (const uint8_t *end = byte + length; byte != end; byte++) {
        const uint8_t value = *byte;
        crc_add(value);
        encode(&to, value);
    }
    uint32_t crc = crc_value();
    for (uint32_t i = 0; i < LINK_CRC_BYTES; i++, crc >>= 8)
        encode(&to, (uint8_t)crc);
    end_run(&to, to.put - to.code_at);
    board_write(RING_AT(TX, to.put), 0);
    board_write(OHMCARLO_BOARD__UART__PUT_addr, to.put + 1u);
}
