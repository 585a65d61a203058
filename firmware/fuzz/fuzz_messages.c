// Fuzzer of the messages: a host that follows the rules of the link and sends any request. Most
// bodies are nearly correct, so that they pass the first check.
#include <string.h>

#include "host.h"
#include "ohmcarlo.h"

#define MESSAGES 48
#define POLL_CLOCKS 2500u
#define FIELDS_AND_ONE 96u // one more than the number of fields
#define WINDOWS_AND_ONE 24u
#define ROWS_AND_TWO (OHMCARLO__ID__ROWS__VALUE_reset + 2u)
#define DEVICES_AND_TWO (2u * OHMCARLO__ID__PAIRS__VALUE_reset + 2u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
    uint8_t bytes[LINK_MAX_PAYLOAD];
    size_t length;
};

static void add(struct text *text, uint32_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes && text->length < sizeof text->bytes; i++)
        text->bytes[text->length++] = (uint8_t)(value >> 8 * i);
}

// A number that is small in half of the cases
static uint32_t any32(struct input *input)
{
    const uint8_t choice = take8(input);
    return (choice & 0x80) != 0 ? take32(input) : choice;
}

static void add_writes(struct text *text, struct input *input)
{
    for (uint32_t left = 1u + (take8(input) & 3u); left != 0; left--) {
        add(text, take8(input) % FIELDS_AND_ONE, 2);
        add(text, 0, 2);
        add(text, any32(input), 4);
    }
}

static void add_window(struct text *text, struct input *input)
{
    add(text, take8(input) % WINDOWS_AND_ONE, 2);
    add(text, 0, 2);
    add(text, any32(input), 4);
}

static void add_words(struct text *text, struct input *input)
{
    for (uint32_t left = 1u + (take8(input) & 7u); left != 0; left--)
        add(text, take32(input), 4);
}

static void add_operations(struct text *text, struct input *input)
{
    for (uint32_t left = 1u + (take8(input) & 7u); left != 0; left--) {
        add(text, take8(input) % 6u, 1);
        add(text, 0, 1);
        add(text, take8(input) % ROWS_AND_TWO, 2);
        add(text, take8(input) % DEVICES_AND_TWO, 2);
        add(text, take16(input) & 0x10FFu, 2);
    }
}

static void add_body(struct text *text, struct input *input, uint8_t type)
{
    switch (type) {
    case MESSAGE_WRITE:
        add_writes(text, input);
        break;
    case MESSAGE_READ:
        for (uint32_t left = 1u + (take8(input) & 7u); left != 0; left--)
            add(text, take8(input) % FIELDS_AND_ONE, 2);
        break;
    case MESSAGE_LOAD:
        add_window(text, input);
        add_words(text, input);
        break;
    case MESSAGE_UNLOAD:
        add_window(text, input);
        add(text, take8(input) & 0x7Fu, 2);
        break;
    case MESSAGE_OPERATE:
        add_operations(text, input);
        break;
    case MESSAGE_READ_ROW:
        add(text, take8(input) % ROWS_AND_TWO, 2);
        add(text, take8(input) % DEVICES_AND_TWO, 2);
        add(text, take8(input) % DEVICES_AND_TWO, 2);
        break;
    case MESSAGE_COMMAND:
        add(text, take8(input) % 13u, 2);
        add(text, 0, 2);
        add(text, any32(input) & 0xFF00FFu, 4);
        break;
    case MESSAGE_EPISODE:
        for (int i = 0; i < 5; i++)
            add(text, (uint16_t)(take16(input) % 2050u - 1024u), 2);
        add(text, take8(input) & 3u, 2);
        add(text, take32(input), 4);
        add(text, take32(input), 4);
        break;
    case MESSAGE_POLICY:
        add(text, take32(input), 4);
        add(text, take32(input), 4);
        add(text, any32(input), 4);
        add(text, take8(input) & 3u, 2);
        break;
    case MESSAGE_ANSWERS:
        add(text, take8(input) & 7u, 4);
        add(text, take8(input) & 7u, 2);
        break;
    default:
        text->length += take_bytes(input, text->bytes + text->length, take8(input));
        break;
    }
}

static void ask(struct host *host, struct input *input, uint16_t request)
{
    struct text text = {.length = 0};
    const uint8_t choice = take8(input);
    const uint8_t type = (uint8_t)(1u + (choice & 0x7Fu) % 12u);
    add(&text, type, 1);
    add(&text, 0, 1);
    add(&text, request, 2);
    if ((choice & 0x80) != 0)
        text.length += take_bytes(input, text.bytes + text.length, take8(input));
    else
        add_body(&text, input, type);
    host_message(host, text.bytes, text.length);
}

static void happen(struct host *host, uint8_t event)
{
    switch (event) {
    case 0:
        native_fault(3);
        break;
    case 1:
        native_alarm();
        break;
    case 2:
        native_hang(1);
        break;
    case 3:
        native_hang(0);
        break;
    case 4:
        host_acknowledge(host);
        break;
    case 5:
        native_restart();
        host_settle(host);
        break;
    case 6:
        host_settle(host);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct host host;
    native_reset();
    host_open(&host, 1);
    host_poll(&host, POLL_CLOCKS);
    for (uint16_t i = 1; i <= MESSAGES && input.left != 0; i++) {
        const uint8_t choice = take8(&input);
        if (choice >= 0xF8)
            happen(&host, choice & 7);
        else
            ask(&host, &input, i);
        if ((choice & 7) != 7) // sometimes the next request follows at once
            host_poll(&host, POLL_CLOCKS);
        if ((choice & 8) != 0)
            host_acknowledge(&host);
    }
    host_settle(&host);
    return 0;
}
