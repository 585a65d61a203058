// AXI4-Lite master that executes a script from a memory: writes, polls and comparisons. It stops at
// the first word that is not as expected.
//
// The script is a list of 32-bit words, as $readmemh reads them. The first word of an instruction
// holds its code in bits 31:28 and a count in bits 27:0:
//
//   code         next words              effect
//   0 END        -                       done, pass = 1
//   1 WRITE      address, `count` words  write the words from the address on
//   2 POLL       address, mask, value    read until (word & mask) == value
//   3 EXPECT     address, mask, value    read once; stop unless (word & mask) == value
//   4 IRQ        -                       wait until irq is high
//   5 SAMPLES    samples, checksum       wait for so many samples; stop unless the checksum is right
//
// An error response, an unknown code, or a wait of LIMIT clocks stops the script, too. `position`
// then points behind the words that were read.
module axi_lite_script #(
  parameter SCRIPT = "first_run.hex",
  parameter WORDS_LOG2 = 13,
  parameter ADDR_BITS = 18,
  parameter [31:0] LIMIT = 32'd100_000_000
) (
  input  wire                  aclk,
  input  wire                  aresetn,
  output reg  [ADDR_BITS-1:0]  m_axi_awaddr,
  output wire [2:0]            m_axi_awprot,
  output reg                   m_axi_awvalid,
  input  wire                  m_axi_awready,
  output reg  [31:0]           m_axi_wdata,
  output wire [3:0]            m_axi_wstrb,
  output reg                   m_axi_wvalid,
  input  wire                  m_axi_wready,
  input  wire [1:0]            m_axi_bresp,
  input  wire                  m_axi_bvalid,
  output reg                   m_axi_bready,
  output reg  [ADDR_BITS-1:0]  m_axi_araddr,
  output wire [2:0]            m_axi_arprot,
  output reg                   m_axi_arvalid,
  input  wire                  m_axi_arready,
  input  wire [31:0]           m_axi_rdata,
  input  wire [1:0]            m_axi_rresp,
  input  wire                  m_axi_rvalid,
  output reg                   m_axi_rready,
  input  wire                  irq,
  input  wire [31:0]           samples,
  input  wire [31:0]           checksum,
  output reg                   done,
  output reg                   pass,
  output reg  [WORDS_LOG2-1:0] position
);
  localparam [3:0] END = 4'd0, WRITE = 4'd1, POLL = 4'd2, EXPECT = 4'd3, IRQ = 4'd4, SAMPLES = 4'd5;
  localparam [3:0] FETCH = 4'd0, FIRST = 4'd1, NEXT = 4'd2, OPERAND = 4'd3, SEND = 4'd4,
                   WRITTEN = 4'd5, READ = 4'd6, COMPARE = 4'd7, WAIT = 4'd8, STOP = 4'd9;

  reg [31:0] script [0:(1 << WORDS_LOG2) - 1];
  reg [31:0] word;
  initial $readmemh(SCRIPT, script);
  always @(posedge aclk) word <= script[position];

  reg [3:0]  state, code;
  reg [27:0] left;     // words that are to be written
  reg [1:0]  operand;  // number of the operand that comes next
  reg [31:0] address, mask, value, found, clocks;
  wire       equal = ((found ^ value) & mask) == 32'd0;

  assign m_axi_awprot = 3'b000;
  assign m_axi_arprot = 3'b000;
  assign m_axi_wstrb = 4'b1111;

  always @(posedge aclk) begin
    clocks <= clocks + 32'd1;
    if (m_axi_awready) m_axi_awvalid <= 1'b0;
    if (m_axi_wready) m_axi_wvalid <= 1'b0;
    if (m_axi_arready) m_axi_arvalid <= 1'b0;
    case (state)
      // the memory answers in the next clock
      FETCH: state <= FIRST;
      FIRST: begin
        code <= word[31:28];
        left <= word[27:0];
        operand <= 2'd0;
        clocks <= 32'd0;
        position <= position + 1'b1;
        case (word[31:28])
          WRITE, POLL, EXPECT, SAMPLES: state <= NEXT;
          IRQ: state <= WAIT;
          default: begin
            pass <= word[31:28] == END;
            state <= STOP;
          end
        endcase
      end
      NEXT: state <= OPERAND;
      OPERAND: begin
        operand <= operand + 2'd1;
        position <= position + 1'b1;
        state <= NEXT;
        if (operand == 2'd0) address <= word;
        if (operand == 2'd1) mask <= word;
        if (operand == 2'd2) value <= word;
        if (operand == 2'd0 && code == WRITE) state <= SEND;
        if (operand == 2'd1 && code == SAMPLES) state <= WAIT;
        if (operand == 2'd2) state <= READ;
      end
      // -- write: `position` points at the word, which is there a clock later
      SEND: begin
        clocks <= 32'd0;
        state <= left == 28'd0 ? FETCH : WRITTEN;
      end
      WRITTEN:
        if (!m_axi_bready) begin
          m_axi_awaddr <= address[ADDR_BITS-1:0];
          m_axi_wdata <= word;
          m_axi_awvalid <= 1'b1;
          m_axi_wvalid <= 1'b1;
          m_axi_bready <= 1'b1;
        end else if (m_axi_bvalid) begin
          m_axi_bready <= 1'b0;
          address <= address + 32'd4;
          left <= left - 28'd1;
          position <= position + 1'b1;
          state <= m_axi_bresp[1] ? STOP : SEND;
        end else if (clocks >= LIMIT) state <= STOP;
      // -- read
      READ:
        if (!m_axi_rready) begin
          m_axi_araddr <= address[ADDR_BITS-1:0];
          m_axi_arvalid <= 1'b1;
          m_axi_rready <= 1'b1;
        end else if (m_axi_rvalid) begin
          m_axi_rready <= 1'b0;
          found <= m_axi_rdata;
          state <= m_axi_rresp[1] ? STOP : COMPARE;
        end else if (clocks >= LIMIT) state <= STOP;
      COMPARE:
        if (equal) state <= FETCH;
        else state <= code == POLL && clocks < LIMIT ? READ : STOP;
      // -- wait for the interrupt, or for samples: their number is in `address`, the checksum in `mask`
      WAIT:
        if (code == IRQ ? irq : samples == address)
          state <= code == SAMPLES && checksum != mask ? STOP : FETCH;
        else if (clocks >= LIMIT) state <= STOP;
      default: done <= 1'b1;
    endcase
    if (!aresetn) begin
      state <= FETCH;
      position <= {WORDS_LOG2{1'b0}};
      m_axi_awvalid <= 1'b0;
      m_axi_wvalid <= 1'b0;
      m_axi_bready <= 1'b0;
      m_axi_arvalid <= 1'b0;
      m_axi_rready <= 1'b0;
      done <= 1'b0;
      pass <= 1'b0;
    end
  end

  // addresses of the script may have more bits than the bus
  wire unused = &{1'b0, address[31:ADDR_BITS], m_axi_bresp[0], m_axi_rresp[0]};
endmodule
