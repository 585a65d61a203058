// Gowin block memory, black boxes in Yosys: 18 Kbit, one port (SP, SPX9), two ports (DPB, DPX9B),
// or one that writes and one that reads (SDPX9B); 8 or 9 bits a byte (Gowin UG285, "BSRAM & SSRAM
// User Guide"; Yosys, gowin/brams.txt and brams_map.v, for its mapping of memories).
//
// The models cover the modes that Yosys uses: no output register, block select 0, a synchronous
// reset or none. Any other mode ends the simulation. A read of a word that the other port writes is
// undefined; the model returns right and wrong bits in turn. The same applies to a bit that both
// ports write.

// 512 words of four bytes of 9 bits. Bit 8 of a byte is unused with 8 bits a byte. Bits 4 to 0 of
// an address choose a part of a word; those that choose none enable the bytes of a wide port.
module gowin_bsram #(
  parameter WIDTH_A = 36, WIDTH_B = 36, MODE_A = 0, MODE_B = 0,
  parameter [64*288-1:0] INIT = 0
) (
  input clk_a, ce_a, we_a, rst_a, clk_b, ce_b, we_b, rst_b,
  input [13:0] address_a, address_b,
  input [35:0] data_a, data_b,
  output [35:0] out_a, out_b
);
  reg [35:0] memory [0:511];
  integer i;
  initial for (i = 0; i < 512; i = i + 1) memory[i] = INIT[36*i +: 36];

  function [5:0] offset(input integer width, input [4:0] part);
    offset = (width <= 18 ? 18 * part[4] : 0) + (width <= 9 ? 9 * part[3] : 0) +
             (width <= 4 ? 4 * part[2] : 0) + (width <= 2 ? 2 * part[1] : 0) +
             (width <= 1 ? part[0] : 0);
  endfunction

  function [35:0] enabled(input integer width, input [3:0] bytes);
    enabled = width > 18 ? {{9{bytes[3]}}, {9{bytes[2]}}, {9{bytes[1]}}, {9{bytes[0]}}} :
              width > 9 ? {18'd0, {9{bytes[1]}}, {9{bytes[0]}}} : (36'd1 << width) - 36'd1;
  endfunction

  wire [5:0] offset_a = offset(WIDTH_A, address_a[4:0]);
  wire [5:0] offset_b = offset(WIDTH_B, address_b[4:0]);
  wire [35:0] word_a = data_a << offset_a;
  wire [35:0] word_b = data_b << offset_b;
  wire write_a = ce_a && we_a;
  wire write_b = ce_b && we_b;
  wire [35:0] mask_a = write_a ? enabled(WIDTH_A, address_a[3:0]) << offset_a : 36'd0;
  wire [35:0] mask_b = write_b ? enabled(WIDTH_B, address_b[3:0]) << offset_b : 36'd0;
  wire same = address_a[13:5] == address_b[13:5];
  wire [35:0] torn_a = same ? mask_b : 36'd0;
  wire [35:0] torn_b = same ? mask_a : 36'd0;
  reg wrong = 1'b1;
  always @(posedge clk_a) if (|torn_a || |torn_b) wrong <= !wrong;

  // blocking: two ports may write two parts of a word at once
  reg [35:0] found_a = 36'd0, before_a, after_a;
  always @(posedge clk_a) begin
    before_a = memory[address_a[13:5]];
    after_a = (before_a & ~mask_a) | (word_a & mask_a);
    if (rst_a) found_a <= 36'd0;
    else if (ce_a && !(we_a && MODE_A == 0))
      found_a <= ((MODE_A == 1 ? after_a : before_a) ^ (wrong ? torn_a : 36'd0)) >> offset_a;
    if (write_a) memory[address_a[13:5]] = after_a;
  end

  reg [35:0] found_b = 36'd0, before_b, after_b;
  always @(posedge clk_b) begin
    before_b = memory[address_b[13:5]];
    after_b = (before_b & ~mask_b) | ((word_b ^ (wrong ? torn_b : 36'd0)) & mask_b);
    if (rst_b) found_b <= 36'd0;
    else if (ce_b && !(we_b && MODE_B == 0))
      found_b <= ((MODE_B == 1 ? after_b : before_b) ^ (wrong ? torn_b : 36'd0)) >> offset_b;
    if (write_b) memory[address_b[13:5]] = after_b;
  end

  assign out_a = found_a;
  assign out_b = found_b;
endmodule

// contents with 8 bits a byte, as contents with 9
module gowin_bsram_x8 #(
  parameter WIDTH_A = 32, WIDTH_B = 32, MODE_A = 0, MODE_B = 0,
  parameter [64*256-1:0] INIT = 0
) (
  input clk_a, ce_a, we_a, rst_a, clk_b, ce_b, we_b, rst_b,
  input [13:0] address_a, address_b,
  input [31:0] data_a, data_b,
  output [31:0] out_a, out_b
);
  function [64*288-1:0] spread(input [64*256-1:0] bytes);
    integer i;
    for (i = 0; i < 2048; i = i + 1) spread[9*i +: 9] = {1'b0, bytes[8*i +: 8]};
  endfunction
  wire [35:0] nine_a, nine_b;
  gowin_bsram #(
    .WIDTH_A(WIDTH_A), .WIDTH_B(WIDTH_B), .MODE_A(MODE_A), .MODE_B(MODE_B), .INIT(spread(INIT))
  ) memory (
    .clk_a(clk_a), .ce_a(ce_a), .we_a(we_a), .rst_a(rst_a), .address_a(address_a),
    .data_a({1'b0, data_a[31:24], 1'b0, data_a[23:16], 1'b0, data_a[15:8], 1'b0, data_a[7:0]}),
    .clk_b(clk_b), .ce_b(ce_b), .we_b(we_b), .rst_b(rst_b), .address_b(address_b),
    .data_b({1'b0, data_b[31:24], 1'b0, data_b[23:16], 1'b0, data_b[15:8], 1'b0, data_b[7:0]}),
    .out_a(nine_a), .out_b(nine_b)
  );
  assign out_a = {nine_a[34:27], nine_a[25:18], nine_a[16:9], nine_a[7:0]};
  assign out_b = {nine_b[34:27], nine_b[25:18], nine_b[16:9], nine_b[7:0]};
endmodule

`define GOWIN_CONTENTS(BITS) \
  parameter [BITS-1:0] \
    INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0, INIT_RAM_04 = 0, \
    INIT_RAM_05 = 0, INIT_RAM_06 = 0, INIT_RAM_07 = 0, INIT_RAM_08 = 0, INIT_RAM_09 = 0, \
    INIT_RAM_0A = 0, INIT_RAM_0B = 0, INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0, \
    INIT_RAM_0F = 0, INIT_RAM_10 = 0, INIT_RAM_11 = 0, INIT_RAM_12 = 0, INIT_RAM_13 = 0, \
    INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0, INIT_RAM_18 = 0, \
    INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0, INIT_RAM_1C = 0, INIT_RAM_1D = 0, \
    INIT_RAM_1E = 0, INIT_RAM_1F = 0, INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0, \
    INIT_RAM_23 = 0, INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0, \
    INIT_RAM_28 = 0, INIT_RAM_29 = 0, INIT_RAM_2A = 0, INIT_RAM_2B = 0, INIT_RAM_2C = 0, \
    INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0, INIT_RAM_30 = 0, INIT_RAM_31 = 0, \
    INIT_RAM_32 = 0, INIT_RAM_33 = 0, INIT_RAM_34 = 0, INIT_RAM_35 = 0, INIT_RAM_36 = 0, \
    INIT_RAM_37 = 0, INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0, \
    INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0; \
  localparam [64*BITS-1:0] INIT = { \
    INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, \
    INIT_RAM_38, INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, \
    INIT_RAM_31, INIT_RAM_30, INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, \
    INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28, INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, \
    INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20, INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, \
    INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18, INIT_RAM_17, INIT_RAM_16, \
    INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10, INIT_RAM_0F, \
    INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08, \
    INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, \
    INIT_RAM_00};

module SP (
  input CLK, CE, OCE, RESET, WRE, input [2:0] BLKSEL, input [13:0] AD, input [31:0] DI,
  output [31:0] DO
);
  parameter READ_MODE = 0, WRITE_MODE = 0, BIT_WIDTH = 32, BLK_SEL = 0;
  parameter RESET_MODE = "SYNC";
  `GOWIN_CONTENTS(256)
  initial if (READ_MODE != 0 || BLK_SEL != 0) $fatal(1, "SP: a mode without a model");
  always @(posedge CLK)
    if (RESET_MODE != "SYNC" && RESET) $fatal(1, "SP: a reset without a model");
  gowin_bsram_x8 #(
    .WIDTH_A(BIT_WIDTH), .WIDTH_B(BIT_WIDTH), .MODE_A(WRITE_MODE), .INIT(INIT)
  ) memory (
    .clk_a(CLK), .ce_a(CE), .we_a(WRE), .rst_a(RESET), .address_a(AD), .data_a(DI), .out_a(DO),
    .clk_b(CLK), .ce_b(1'b0), .we_b(1'b0), .rst_b(1'b0), .address_b(14'd0),
    .data_b(32'd0), .out_b()
  );
endmodule

module SPX9 (
  input CLK, CE, OCE, RESET, WRE, input [2:0] BLKSEL, input [13:0] AD, input [35:0] DI,
  output [35:0] DO
);
  parameter READ_MODE = 0, WRITE_MODE = 0, BIT_WIDTH = 36, BLK_SEL = 0;
  parameter RESET_MODE = "SYNC";
  `GOWIN_CONTENTS(288)
  initial if (READ_MODE != 0 || BLK_SEL != 0) $fatal(1, "SPX9: a mode without a model");
  always @(posedge CLK)
    if (RESET_MODE != "SYNC" && RESET) $fatal(1, "SPX9: a reset without a model");
  gowin_bsram #(
    .WIDTH_A(BIT_WIDTH), .WIDTH_B(BIT_WIDTH), .MODE_A(WRITE_MODE), .INIT(INIT)
  ) memory (
    .clk_a(CLK), .ce_a(CE), .we_a(WRE), .rst_a(RESET), .address_a(AD), .data_a(DI), .out_a(DO),
    .clk_b(CLK), .ce_b(1'b0), .we_b(1'b0), .rst_b(1'b0), .address_b(14'd0),
    .data_b(36'd0), .out_b()
  );
endmodule

module DPB (
  input CLKA, CEA, OCEA, RESETA, WREA, CLKB, CEB, OCEB, RESETB, WREB,
  input [2:0] BLKSELA, BLKSELB, input [13:0] ADA, ADB, input [15:0] DIA, DIB,
  output [15:0] DOA, DOB
);
  parameter READ_MODE0 = 0, READ_MODE1 = 0, WRITE_MODE0 = 0, WRITE_MODE1 = 0;
  parameter BIT_WIDTH_0 = 16, BIT_WIDTH_1 = 16, BLK_SEL_0 = 0, BLK_SEL_1 = 0;
  parameter RESET_MODE = "SYNC";
  `GOWIN_CONTENTS(256)
  initial
    if (READ_MODE0 != 0 || READ_MODE1 != 0 || BLK_SEL_0 != 0 || BLK_SEL_1 != 0)
      $fatal(1, "DPB: a mode without a model");
  always @(posedge CLKA)
    if (RESET_MODE != "SYNC" && (RESETA || RESETB)) $fatal(1, "DPB: a reset without a model");
  wire [31:0] out_a, out_b;
  gowin_bsram_x8 #(
    .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .MODE_A(WRITE_MODE0), .MODE_B(WRITE_MODE1),
    .INIT(INIT)
  ) memory (
    .clk_a(CLKA), .ce_a(CEA), .we_a(WREA), .rst_a(RESETA), .address_a(ADA),
    .data_a({16'd0, DIA}), .out_a(out_a),
    .clk_b(CLKB), .ce_b(CEB), .we_b(WREB), .rst_b(RESETB), .address_b(ADB),
    .data_b({16'd0, DIB}), .out_b(out_b)
  );
  assign DOA = out_a[15:0];
  assign DOB = out_b[15:0];
endmodule

module DPX9B (
  input CLKA, CEA, OCEA, RESETA, WREA, CLKB, CEB, OCEB, RESETB, WREB,
  input [2:0] BLKSELA, BLKSELB, input [13:0] ADA, ADB, input [17:0] DIA, DIB,
  output [17:0] DOA, DOB
);
  parameter READ_MODE0 = 0, READ_MODE1 = 0, WRITE_MODE0 = 0, WRITE_MODE1 = 0;
  parameter BIT_WIDTH_0 = 18, BIT_WIDTH_1 = 18, BLK_SEL_0 = 0, BLK_SEL_1 = 0;
  parameter RESET_MODE = "SYNC";
  `GOWIN_CONTENTS(288)
  initial
    if (READ_MODE0 != 0 || READ_MODE1 != 0 || BLK_SEL_0 != 0 || BLK_SEL_1 != 0)
      $fatal(1, "DPX9B: a mode without a model");
  always @(posedge CLKA)
    if (RESET_MODE != "SYNC" && (RESETA || RESETB)) $fatal(1, "DPX9B: a reset without a model");
  wire [35:0] out_a, out_b;
  gowin_bsram #(
    .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .MODE_A(WRITE_MODE0), .MODE_B(WRITE_MODE1),
    .INIT(INIT)
  ) memory (
    .clk_a(CLKA), .ce_a(CEA), .we_a(WREA), .rst_a(RESETA), .address_a(ADA),
    .data_a({18'd0, DIA}), .out_a(out_a),
    .clk_b(CLKB), .ce_b(CEB), .we_b(WREB), .rst_b(RESETB), .address_b(ADB),
    .data_b({18'd0, DIB}), .out_b(out_b)
  );
  assign DOA = out_a[17:0];
  assign DOB = out_b[17:0];
endmodule

module SDPX9B (
  input CLKA, CEA, RESETA, CLKB, CEB, RESETB, OCE,
  input [2:0] BLKSELA, BLKSELB, input [13:0] ADA, ADB, input [35:0] DI,
  output [35:0] DO
);
  parameter READ_MODE = 0, BIT_WIDTH_0 = 36, BIT_WIDTH_1 = 36, BLK_SEL_0 = 0, BLK_SEL_1 = 0;
  parameter RESET_MODE = "SYNC";
  `GOWIN_CONTENTS(288)
  initial
    if (READ_MODE != 0 || BLK_SEL_0 != 0 || BLK_SEL_1 != 0)
      $fatal(1, "SDPX9B: a mode without a model");
  always @(posedge CLKB)
    if (RESET_MODE != "SYNC" && RESETB) $fatal(1, "SDPX9B: a reset without a model");
  gowin_bsram #(.WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .INIT(INIT)) memory (
    .clk_a(CLKA), .ce_a(CEA), .we_a(1'b1), .rst_a(1'b0), .address_a(ADA), .data_a(DI), .out_a(),
    .clk_b(CLKB), .ce_b(CEB), .we_b(1'b0), .rst_b(RESETB), .address_b(ADB),
    .data_b(36'd0), .out_b(DO)
  );
endmodule
