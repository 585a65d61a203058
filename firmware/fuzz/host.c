#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER 4096u
#define SETTLE_POLLS 4000
#define PATIENCE 4000u

void check(bool holds, const char *rule)
{
    if (holds)
        return;
    fprintf(stderr, "broken: %s\n", rule);
    abort();
}

void check_safe(void)
{
    check(native_unsafe() == 0, native_unsafe_reason());
}

// -- the input -----------------------------------------------------------------------------------
uint8_t take8(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->data++;
}

uint16_t take16(struct input *input)
{
    const uint8_t low = take8(input);
    return (uint16_t)(low | take8(input) << 8);
}

uint32_t take32(struct input *input)
{
    const uint16_t low = take16(input);
    return low | (uint32_t)take16(input) << 16;
}

size_t take_bytes(struct input *input, uint8_t *to, size_t limit)
{
    const size_t count = limit < input->left ? limit : input->left;
    if (count != 0)
        memcpy(to, input->data, count);
    input->data += count;
    input->left -= count;
    return count;
}

// -- frames --------------------------------------------------------------------------------------
static uint32_t crc32_of(const uint8_t *bytes, size_t count)
{
    static uint32_t table[256];
    if (table[1] == 0)
        for (uint32_t i = 0; i < 256; i++) {
            table[i] = i;
            for (int bit = 0; bit < 8; bit++)
                table[i] = table[i] >> 1 ^ ((table[i] & 1) != 0 ? 0xEDB88320u : 0);
        }
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < count; i++)
        crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 0xFF];
    return ~crc;
}

static size_t stuff(const uint8_t *bytes, size_t count, uint8_t *wire)
{
    size_t at = 1, code = 0;
    for (size_t i = 0; i < count; i++) {
        if (at - code == 255) {
            wire[code] = 255;
            code = at++;
        }
        if (bytes[i] != 0) {
            wire[at++] = bytes[i];
            continue;
        }
        wire[code] = (uint8_t)(at - code);
        code = at++;
    }
    wire[code] = (uint8_t)(at - code);
    wire[at++] = 0;
    return at;
}

static void put(uint8_t *to, uint32_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get(const uint8_t *from, size_t bytes)
{
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint32_t)from[i] << 8 * i;
    return value;
}

size_t make_frame(const struct header *header, const uint8_t *payload, size_t length, uint8_t *wire)
{
    uint8_t frame[LINK_MAX_FRAME + 8];
    frame[HEADER_VERSION_at] = header->version;
    frame[HEADER_KIND_at] = header->kind;
    put(frame + HEADER_SESSION_at, header->session, 2);
    put(frame + HEADER_SEQUENCE_at, header->sequence, 2);
    put(frame + HEADER_ACKNOWLEDGEMENT_at, header->acknowledgement, 2);
    if (length != 0)
        memcpy(frame + LINK_HEADER_BYTES, payload, length);
    const size_t count = LINK_HEADER_BYTES + length;
    put(frame + count, crc32_of(frame, count), LINK_CRC_BYTES);
    wire[0] = 0;
    return 1 + stuff(frame, count + LINK_CRC_BYTES, wire + 1);
}

static void send(const struct host *host, uint8_t kind, uint16_t sequence, const uint8_t *payload,
                 size_t length)
{
    uint8_t wire[LINK_MAX_WIRE + 8];
    const struct header header = {LINK_PROTOCOL_VERSION, kind, host->session, sequence,
                                  host->expected};
    native_receive(wire, (uint32_t)make_frame(&header, payload, length, wire));
}

// -- frames of the board -------------------------------------------------------------------------
static size_t unstuff(const uint8_t *wire, size_t count, uint8_t *bytes)
{
    size_t length = 0;
    for (size_t at = 0; at < count;) {
        const uint8_t code = wire[at++];
        check(code != 0 && at + code - 1u <= count, "the board's frames are well-formed");
        memcpy(bytes + length, wire + at, code - 1u);
        length += code - 1u;
        at += code - 1u;
        if (code != 255 && at < count)
            bytes[length++] = 0;
    }
    return length;
}

static void take_records(struct host *host, const uint8_t *body, size_t length)
{
    const uint32_t first = get(body, 4);
    check(length > RECORDS_bytes && (length - RECORDS_bytes) % 4 == 0, "records are words");
    check(host->running && !host->triage, "records belong to a command that streams them");
    check(!host->numbered || first == host->number, "records are numbered without a gap");
    host->numbered = true;
    host->number = first + (uint32_t)(length - RECORDS_bytes) / 4;
}

static void take_doubtful(struct host *host, const uint8_t *body, size_t length)
{
    check(host->running && host->triage, "doubtful points belong to a triage");
    check(length != 0 && length % DOUBTFUL_bytes == 0, "a message has whole points");
    for (size_t at = 0; at < length; at += DOUBTFUL_bytes) {
        const uint32_t point = get(body + at + DOUBTFUL_POINT_at, 4);
        check(point >= host->next_point, "points are in order");
        host->next_point = point + 1;
    }
}

static bool among(uint64_t requests, uint16_t request)
{
    return request < 64 && (requests >> request & 1) != 0;
}

// The request was executed: a command that takes time has begun
static void begin(struct host *host, uint16_t request)
{
    host->running |= among(host->long_requests, request);
    if (!among(host->triage_requests, request))
        return;
    host->triage = true;
    host->numbered = false; // a triage takes words out of the stream
    host->next_point = 0;
}

static void take_message(struct host *host, const uint8_t *message, size_t length)
{
    check(length >= MESSAGE_bytes, "a message has a header");
    const uint8_t type = message[MESSAGE_TYPE_at];
    const uint8_t status = message[MESSAGE_STATUS_at];
    const size_t body = length - MESSAGE_bytes;
    check(status <= STATUS_STARTED, "a status is one of the list");
    if (type == MESSAGE_RECORDS) {
        take_records(host, message + MESSAGE_bytes, body);
    } else if (type == MESSAGE_FINISHED) {
        check(host->running, "FINISHED ends a command");
        check(body == FINISHED_bytes, "FINISHED has its length");
        host->running = host->triage = false;
    } else if (type == MESSAGE_DOUBTFUL) {
        take_doubtful(host, message + MESSAGE_bytes, body);
    } else {
        check(type == MESSAGE_RESPONSE, "the board answers, streams and finishes");
        check(status == STATUS_OK || body == 0, "a refusal has no body");
        if (status == STATUS_OK)
            begin(host, (uint16_t)get(message + MESSAGE_REQUEST_at, 2));
    }
}

static void take_frame(struct host *host, const uint8_t *wire, size_t count)
{
    uint8_t frame[BUFFER];
    check(count < LINK_MAX_WIRE, "the board's frames have the permitted length");
    const size_t length = unstuff(wire, count, frame);
    check(length >= LINK_HEADER_BYTES + LINK_CRC_BYTES, "the board's frames have a header");
    check(get(frame + length - LINK_CRC_BYTES, 4) == crc32_of(frame, length - LINK_CRC_BYTES),
          "the board's checksums are right");
    const uint8_t kind = frame[HEADER_KIND_at];
    const uint16_t session = (uint16_t)get(frame + HEADER_SESSION_at, 2);
    const uint16_t sequence = (uint16_t)get(frame + HEADER_SEQUENCE_at, 2);
    check(kind == KIND_OPENED || kind == KIND_DATA || kind == KIND_ACK || kind == KIND_NACK ||
              kind == KIND_UNKNOWN,
          "the board sends its kinds of frames");
    if (host->deaf || session != host->session)
        return;
    if (kind == KIND_OPENED) {
        check(length == LINK_HEADER_BYTES + IDENTIFICATION_bytes + LINK_CRC_BYTES,
              "the identification has its length");
        host->open = true;
    }
    if (kind != KIND_DATA)
        return;
    const uint16_t ahead = (uint16_t)(sequence - host->acknowledged);
    check(ahead < LINK_WINDOW || ahead >= 0x8000, "no more than a window is under way");
    if (sequence != host->expected)
        return;
    host->expected++;
    take_message(host, frame + LINK_HEADER_BYTES, length - LINK_HEADER_BYTES - LINK_CRC_BYTES);
}

// -- the host ------------------------------------------------------------------------------------
void host_open(struct host *host, uint16_t session)
{
    uint8_t payload[OPEN_bytes];
    *host = (struct host){.session = session};
    put(payload, PATIENCE, OPEN_bytes);
    send(host, KIND_OPEN, 0, payload, OPEN_bytes);
}

void host_message(struct host *host, const uint8_t *message, size_t length)
{
    host->acknowledged = host->expected;
    if (length >= MESSAGE_bytes + COMMAND_bytes && message[MESSAGE_TYPE_at] == MESSAGE_COMMAND) {
        const uint32_t command = get(message + MESSAGE_bytes, 2);
        const uint64_t request = 1ull << (get(message + MESSAGE_REQUEST_at, 2) & 63);
        host->long_requests |=
            command <= COMMAND_PREDICT || command == COMMAND_TRIAGE ? request : 0;
        host->triage_requests |= command == COMMAND_TRIAGE ? request : 0;
    }
    send(host, KIND_DATA, host->sequence++, message, length);
}

void host_acknowledge(struct host *host)
{
    host->acknowledged = host->expected;
    send(host, KIND_ACK, host->sequence, 0, 0);
}

void host_poll(struct host *host, uint32_t clocks)
{
    static uint8_t wire[BUFFER];
    native_poll(clocks);
    const uint32_t count = native_send(wire, sizeof wire);
    for (const uint8_t *at = wire; at < wire + count;) {
        const uint8_t *const end = memchr(at, 0, (size_t)(wire + count - at));
        check(end != 0, "the board sends whole frames");
        if (end != at) // a zero precedes each frame
            take_frame(host, at, (size_t)(end - at));
        at = end + 1;
    }
    check_safe();
}

void host_settle(struct host *host)
{
    native_hang(0);
    native_mismatch(0, 0);
    host_open(host, (uint16_t)(host->session + 1));
    for (int i = 0; i < SETTLE_POLLS && !(host->open && native_idle()); i++)
        host_poll(host, PATIENCE);
    check(host->open, "a new session begins during any activity");
    check(native_idle(), "the board comes to rest");
}
