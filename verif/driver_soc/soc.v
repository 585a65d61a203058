// Test system: PicoRV32, memory, a console and the IP core on AXI4-Lite. The test loads the memory
// in blocks of LOAD_WORDS words while rst is high.
module dut (
  input  wire                clk,
  input  wire                rst,
  input  wire                load,
  input  wire [15:0]         load_block,
  input  wire [1023:0]       load_words,
  output reg                 out_valid,
  output reg  [1:0]          out_port,
  output reg  [31:0]         out_data,
  output wire                trap,
  output wire                irq
);
  localparam RAM_WORDS = 32768;
  localparam LOAD_WORDS = 32;
  localparam [1:0] CORE = 2'd1;
  localparam [1:0] CONSOLE = 2'd2;

  // -- processor ----------------------------------------------------------------------------------
  wire awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready;
  wire [31:0] awaddr, wdata, araddr, rdata;
  wire [3:0] wstrb;
  wire [2:0] awprot, arprot;
  picorv32_axi #(
    .ENABLE_COUNTERS(0), .ENABLE_COUNTERS64(0), .BARREL_SHIFTER(1), .ENABLE_MUL(1),
    .ENABLE_DIV(0), .REGS_INIT_ZERO(1), .STACKADDR(RAM_WORDS * 4),
    .ENABLE_IRQ(1), .ENABLE_IRQ_TIMER(0), .LATCHED_IRQ(0)
  ) cpu (
    .clk(clk), .resetn(~rst), .trap(trap),
    .mem_axi_awvalid(awvalid), .mem_axi_awready(awready), .mem_axi_awaddr(awaddr),
    .mem_axi_awprot(awprot), .mem_axi_wvalid(wvalid), .mem_axi_wready(wready),
    .mem_axi_wdata(wdata), .mem_axi_wstrb(wstrb), .mem_axi_bvalid(bvalid),
    .mem_axi_bready(bready), .mem_axi_arvalid(arvalid), .mem_axi_arready(arready),
    .mem_axi_araddr(araddr), .mem_axi_arprot(arprot), .mem_axi_rvalid(rvalid),
    .mem_axi_rready(rready), .mem_axi_rdata(rdata),
    .pcpi_wr(1'b0), .pcpi_rd(32'd0), .pcpi_wait(1'b0), .pcpi_ready(1'b0),
    .irq({31'd0, irq} << 3)
  );

  // -- decoder: an access is outstanding until its answer, and its address stays ---------------------
  wire write_core = awaddr[31:30] == CORE;
  wire read_core = araddr[31:30] == CORE;
  wire core_awready, core_wready, core_bvalid, core_arready, core_rvalid;
  wire [31:0] core_rdata;
  wire [1:0] core_bresp, core_rresp;
  reg local_bvalid, local_rvalid;
  reg [31:0] local_rdata;
  wire local_write = awvalid & wvalid & ~write_core & ~local_bvalid;
  wire local_read = arvalid & ~read_core & ~local_rvalid;
  assign awready = write_core ? core_awready : local_write;
  assign wready = write_core ? core_wready : local_write;
  assign bvalid = core_bvalid | local_bvalid;
  assign arready = read_core ? core_arready : local_read;
  assign rvalid = core_rvalid | local_rvalid;
  assign rdata = core_rvalid ? core_rdata : local_rdata;

  // -- memory and console -------------------------------------------------------------------------
  reg [31:0] memory [0:RAM_WORDS - 1];
  wire [14:0] write_word = awaddr[16:2];
  integer i;
  always @(posedge clk) begin
    if (load)
      for (i = 0; i < LOAD_WORDS; i = i + 1)
        memory[load_block * LOAD_WORDS + i] <= load_words[32 * i +: 32];
    else if (local_write && awaddr[31:30] == 2'd0) begin
      if (wstrb[0]) memory[write_word][7:0] <= wdata[7:0];
      if (wstrb[1]) memory[write_word][15:8] <= wdata[15:8];
      if (wstrb[2]) memory[write_word][23:16] <= wdata[23:16];
      if (wstrb[3]) memory[write_word][31:24] <= wdata[31:24];
    end
    if (local_read) local_rdata <= memory[araddr[16:2]];
    local_bvalid <= ~rst & (local_write | (local_bvalid & ~bready));
    local_rvalid <= ~rst & (local_read | (local_rvalid & ~rready));
    // a write of the processor, or an error response of the core (port 3)
    out_valid <= ~rst & ((local_write & awaddr[31:30] == CONSOLE)
                         | (core_bvalid & bready & core_bresp[1])
                         | (core_rvalid & rready & core_rresp[1]));
    out_port <= (core_bvalid | core_rvalid) ? 2'd3 : awaddr[3:2];
    out_data <= (core_bvalid | core_rvalid) ? (core_bvalid ? awaddr : araddr) : wdata;
  end

  // -- the core -----------------------------------------------------------------------------------
  ohmcarlo_axi4_lite core (
    .aclk(clk), .aresetn(~rst),
    .s_axi_awaddr(awaddr[ADDR_WIDTH - 1:0]), .s_axi_awprot(awprot),
    .s_axi_awvalid(awvalid & write_core), .s_axi_awready(core_awready),
    .s_axi_wdata(wdata), .s_axi_wstrb(wstrb),
    .s_axi_wvalid(wvalid & write_core), .s_axi_wready(core_wready),
    .s_axi_bresp(core_bresp), .s_axi_bvalid(core_bvalid), .s_axi_bready(bready),
    .s_axi_araddr(araddr[ADDR_WIDTH - 1:0]), .s_axi_arprot(arprot),
    .s_axi_arvalid(arvalid & read_core), .s_axi_arready(core_arready),
    .s_axi_rdata(core_rdata), .s_axi_rresp(core_rresp), .s_axi_rvalid(core_rvalid),
    .s_axi_rready(rready),
    .irq(irq), .off(1'b0), .busy()
  );
endmodule
