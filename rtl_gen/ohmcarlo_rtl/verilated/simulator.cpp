// The board as a program: the Verilated board, its serial line behind a pseudo-terminal.
//
// Prints "port /dev/pts/N" and runs until SIGTERM, SIGINT or the end of its standard input. The
// line is simulated bit by bit at both ends, with BOARD_DIVISOR clocks per bit. The program sleeps
// while the board waits for bytes. With BOARD_PROCESSOR, the memory of the processor is loaded from
// the file firmware.bin beside the program; without, the board has one clock and no firmware.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "Vboard.h"
#include "Vboard___024root.h"
#include "verilated.h"

namespace {

constexpr unsigned kDivisor = BOARD_DIVISOR;  // clocks of a bit
constexpr unsigned kBatch = 256;              // clocks between two polls of the pseudo-terminal
constexpr unsigned kBatchesPerCheck = 256;    // batches between two polls of standard input
// Batches without a byte, after which a board without a processor has answered every request. The
// board with a processor shows when it waits for bytes.
constexpr unsigned kQuietBatches = BOARD_PROCESSOR ? 0 : 2;

volatile sig_atomic_t stop_requested = 0;

void request_stop(int) { stop_requested = 1; }

[[noreturn]] void fail(const char *what) {
  std::fprintf(stderr, "board: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

double seconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// The board's end of a pseudo-terminal. Bytes that the other end does not take yet are kept.
class Terminal {
 public:
  Terminal() {
    master_ = posix_openpt(O_RDWR | O_NOCTTY);
    if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0) fail("no pseudo-terminal");
    name_ = ptsname(master_);
    // kept open, because the settings last while any process has it open, and hosts come and go
    slave_ = open(name_.c_str(), O_RDWR | O_NOCTTY);
    termios settings;
    if (slave_ < 0 || tcgetattr(slave_, &settings) != 0) fail("no pseudo-terminal");
    cfmakeraw(&settings);
    if (tcsetattr(slave_, TCSANOW, &settings) != 0) fail("pseudo-terminal");
    if (fcntl(master_, F_SETFL, fcntl(master_, F_GETFL) | O_NONBLOCK) != 0) fail("pseudo-terminal");
  }

  const std::string &name() const { return name_; }
  int descriptor() const { return master_; }
  bool has_backlog() const { return begin_ < backlog_.size(); }

  // Bytes from the host, at most `size`; 0 if there are none.
  size_t read(uint8_t *bytes, size_t size) {
    const ssize_t count = ::read(master_, bytes, size);
    return count > 0 ? static_cast<size_t>(count) : 0;
  }

  void write(uint8_t byte) { backlog_.push_back(static_cast<char>(byte)); }

  // Offers the backlog to the other end.
  void flush() {
    while (has_backlog()) {
      const ssize_t count = ::write(master_, backlog_.data() + begin_, backlog_.size() - begin_);
      if (count <= 0) break;
      begin_ += static_cast<size_t>(count);
    }
    if (begin_ == backlog_.size() || begin_ > 65536) {
      backlog_.erase(0, begin_);
      begin_ = 0;
    }
  }

 private:
  int master_ = -1, slave_ = -1;
  std::string name_, backlog_;
  size_t begin_ = 0;
};

// Bytes to a line, bit by bit.
class Shifter {
 public:
  bool idle() const { return left_ == 0; }
  void load(uint8_t byte) {
    bits_ = static_cast<unsigned>(byte) << 1 | 1u << 9;  // start bit, byte, stop bit
    left_ = 10 * kDivisor;
    count_ = kDivisor;
  }
  // The line in the next clock.
  bool clock() {
    if (left_ == 0) return true;
    const bool level = bits_ & 1u;
    --left_;
    if (--count_ == 0) {
      bits_ >>= 1;
      count_ = kDivisor;
    }
    return level;
  }

 private:
  unsigned bits_ = 0, left_ = 0, count_ = 0;
};

// A line to bytes; samples in the middle of each bit.
class Sampler {
 public:
  bool idle() const { return left_ == 0; }
  // Takes the level of one clock; true: `byte()` is complete.
  bool clock(bool level) {
    if (left_ == 0) {
      if (level) return false;
      left_ = 10;
      count_ = kDivisor / 2;
      return false;
    }
    if (--count_ != 0) return false;
    count_ = kDivisor;
    bits_ = bits_ >> 1 | static_cast<unsigned>(level) << 9;
    return --left_ == 0;
  }
  uint8_t byte() const { return static_cast<uint8_t>(bits_ >> 1); }

 private:
  unsigned bits_ = 0, left_ = 0, count_ = 0;
};

class Board {
 public:
  explicit Board(const std::string &firmware)
      : context_(new VerilatedContext), top_(new Vboard(context_.get())) {
    top_->rx = 1;
    top_->eval();
#if BOARD_PROCESSOR
    load(firmware);
#else
    (void)firmware;
#endif
  }
  ~Board() { top_->final(); }

  // One clock with the line `rx` at `level`. The controller of a board with a processor is clocked
  // only while `core_wanted` is high.
  void clock(bool level) {
    const bool core = core_wanted();
    top_->rx = level;
    set_clocks(true, core);
    top_->eval();
    set_clocks(false, false);
    top_->eval();
    ++clocks;
    core_clocks += core;
  }
  bool tx() const { return top_->tx; }
  bool idle() const { return top_->idle; }

  uint64_t clocks = 0, core_clocks = 0;

#if BOARD_PROCESSOR
  bool trapped() const { return top_->trap; }

 private:
  bool core_wanted() const { return top_->core_wanted; }
  void set_clocks(bool level, bool core) {
    top_->clk = level;
    top_->core_clk = core;
  }
  void load(const std::string &firmware) {
    auto &memory = top_->rootp->board__DOT__soc__DOT__memory;
    std::FILE *file = std::fopen(firmware.c_str(), "rb");
    if (file == nullptr) fail(firmware.c_str());
    // little-endian words, on the board and on this machine
    const size_t count = std::fread(&memory[0], 1, sizeof memory, file);
    if (count == 0 || std::fgetc(file) != EOF) {
      std::fprintf(stderr, "board: %s: no firmware for %zu bytes of memory\n", firmware.c_str(),
                   sizeof memory);
      std::exit(1);
    }
    std::fclose(file);
  }
#else
  bool trapped() const { return false; }

 private:
  bool core_wanted() const { return true; }
  void set_clocks(bool level, bool) { top_->clk = level; }
#endif

  std::unique_ptr<VerilatedContext> context_;
  std::unique_ptr<Vboard> top_;
};

class Program {
 public:
  Program(const std::string &firmware, uint64_t max_clocks)
      : max_clocks_(max_clocks), board_(firmware) {}

  int run() {
    std::printf("port %s\n", terminal_.name().c_str());
    std::fflush(stdout);
    const double began = seconds();
    int result = 0;
    for (unsigned batch = 0;; ++batch) {
      if (stop_requested || board_.clocks >= max_clocks_) break;
      if (batch % kBatchesPerCheck == 0 && !wait(0)) break;
      if (received_ == available_) {
        received_ = 0;
        available_ = terminal_.read(buffer_, sizeof buffer_);
      }
      const bool waits = available_ == 0 && line_is_quiet() && board_.idle();
      quiet_ = waits ? quiet_ + 1 : 0;
      if (quiet_ > kQuietBatches) {
        const double slept = seconds();
        const bool go_on = wait(-1);
        asleep_ += seconds() - slept;
        if (!go_on) break;
        continue;
      }
      run_batch();
      if (board_.trapped()) {
        std::fprintf(stderr, "board: the processor trapped, at clock %" PRIu64 "\n", board_.clocks);
        result = 1;
        break;
      }
    }
    std::printf("clocks %" PRIu64 " core %" PRIu64 " seconds %.6f\n", board_.clocks,
                board_.core_clocks, seconds() - began - asleep_);
    return result;
  }

 private:
  bool line_is_quiet() const { return to_board_.idle() && from_board_.idle(); }

  void run_batch() {
    for (unsigned i = 0; i < kBatch; ++i) {
      if (to_board_.idle() && received_ != available_) to_board_.load(buffer_[received_++]);
      board_.clock(to_board_.clock());
      if (from_board_.clock(board_.tx())) terminal_.write(from_board_.byte());
    }
    terminal_.flush();
  }

  // Waits at most `milliseconds` (-1: for ever) for bytes, or room for bytes; false: the program
  // has to end.
  bool wait(int milliseconds) {
    const short write = terminal_.has_backlog() ? POLLOUT : 0;
    pollfd watched[] = {{terminal_.descriptor(), static_cast<short>(POLLIN | write), 0},
                        {STDIN_FILENO, POLLIN, 0}};
    const timespec limit = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    sigset_t none;
    sigemptyset(&none);
    // signals are unblocked only here, so that none is missed between a poll and the sleep
    const int ready = ppoll(watched, 2, milliseconds < 0 ? nullptr : &limit, &none);
    if (ready < 0 && errno != EINTR) fail("poll");
    if (stop_requested) return false;
    if (ready > 0 && watched[0].revents & POLLOUT) terminal_.flush();
    if (ready > 0 && watched[1].revents != 0) {
      char ignored[256];
      const ssize_t count = ::read(STDIN_FILENO, ignored, sizeof ignored);
      if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return false;
    }
    return true;
  }

  const uint64_t max_clocks_;
  Terminal terminal_;
  Board board_;
  Shifter to_board_;
  Sampler from_board_;
  uint8_t buffer_[256];
  size_t received_ = 0, available_ = 0;
  unsigned quiet_ = 0;  // batches in which the board only waited for bytes
  double asleep_ = 0;
};

void catch_signals() {
  struct sigaction action = {};
  action.sa_handler = request_stop;
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    sigaction(signal, &action, nullptr);
    sigaddset(&blocked, signal);
  }
  sigprocmask(SIG_BLOCK, &blocked, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

std::string beside_program(const char *name) {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  if (size < 0) fail("/proc/self/exe");
  const std::string program(path, static_cast<size_t>(size));
  return program.substr(0, program.rfind('/') + 1) + name;
}

int usage() {
  std::fputs("usage: board [--firmware FILE] [--max-clocks N]\n", stderr);
  return 2;
}

}  // namespace

int main(int count, char **arguments) {
  uint64_t max_clocks = UINT64_MAX;
  std::string firmware;
  for (int i = 1; i < count; i += 2) {
    if (i + 1 == count) return usage();
    const std::string option = arguments[i];
    const char *value = arguments[i + 1];
    if (option == "--firmware") {
      firmware = value;
    } else if (option == "--max-clocks") {
      char *end = nullptr;
      max_clocks = std::strtoull(value, &end, 10);
      if (*end != '\0' || end == value) return usage();
    } else {
      return usage();
    }
  }
  if (firmware.empty()) firmware = beside_program("firmware.bin");
  catch_signals();
  return Program(firmware, max_clocks).run();
}
