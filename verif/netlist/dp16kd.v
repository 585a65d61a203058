// ECP5 block memory, a black box in Yosys: 18 Kbit, two ports of 1 to 18 bits, or one that writes
// and one that reads 36 bits (Lattice TN1264, "ECP5 and ECP5-5G Memory Usage Guide"; Yosys,
// lattice/brams_16kd.txt and brams_map_16kd.v, for its mapping of memories).
//
// The model covers the modes that Yosys uses: no output register, no chip selects, rising edges, a
// synchronous reset or none. Any other mode ends the simulation. A read of a word that the other
// port writes is undefined; the model returns right and wrong bits in turn. The same applies to a
// bit that both ports write.
module DP16KD (
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4,
    DIA3, DIA2, DIA1, DIA0,
  input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4,
    DOA3, DOA2, DOA1, DOA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4,
    DIB3, DIB2, DIB1, DIB0,
  input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
  output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4,
    DOB3, DOB2, DOB1, DOB0
);
  parameter DATA_WIDTH_A = 18, REGMODE_A = "NOREG", CSDECODE_A = "0b000";
  parameter WRITEMODE_A = "NORMAL", CLKAMUX = "CLKA";
  parameter DATA_WIDTH_B = 18, REGMODE_B = "NOREG", CSDECODE_B = "0b000";
  parameter WRITEMODE_B = "NORMAL", CLKBMUX = "CLKB";
  parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC", GSR = "ENABLED";
  // each of 16 rows of 18 bits, in 20
  parameter [319:0] INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0, INITVAL_04 = 0,
    INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0, INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0,
    INITVAL_0B = 0, INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0, INITVAL_10 = 0,
    INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0, INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0,
    INITVAL_17 = 0, INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0, INITVAL_1C = 0,
    INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0, INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0,
    INITVAL_23 = 0, INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0, INITVAL_28 = 0,
    INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0, INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0,
    INITVAL_2F = 0, INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0, INITVAL_34 = 0,
    INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0, INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0,
    INITVAL_3B = 0, INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0;
  localparam [64*320-1:0] INIT = {INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B,
    INITVAL_3A, INITVAL_39, INITVAL_38, INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33,
    INITVAL_32, INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B,
    INITVAL_2A, INITVAL_29, INITVAL_28, INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23,
    INITVAL_22, INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B,
    INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13,
    INITVAL_12, INITVAL_11, INITVAL_10, INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B,
    INITVAL_0A, INITVAL_09, INITVAL_08, INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03,
    INITVAL_02, INITVAL_01, INITVAL_00};

  initial
    if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG" || CSDECODE_A != "0b000" ||
        CSDECODE_B != "0b000" || CLKAMUX != "CLKA" || CLKBMUX != "CLKB" || DATA_WIDTH_A > 36 ||
        DATA_WIDTH_B > 36)
      $fatal(1, "DP16KD: a mode without a model");

  // 512 pairs of rows. Bits 4 to 0 of an address choose a part of a pair; those that choose none
  // enable the bytes of a wide port.
  reg [35:0] memory [0:511];
  integer i;
  initial
    for (i = 0; i < 512; i = i + 1) memory[i] = {INIT[40*i+20 +: 18], INIT[40*i +: 18]};

  function [5:0] offset(input integer width, input [4:0] part);
    offset = (width <= 18 ? 18 * part[4] : 0) + (width <= 9 ? 9 * part[3] : 0) +
             (width <= 4 ? 4 * part[2] : 0) + (width <= 2 ? 2 * part[1] : 0) +
             (width <= 1 ? part[0] : 0);
  endfunction

  function [35:0] enabled(input integer width, input [3:0] bytes);
    enabled = width == 36 ? {{9{bytes[3]}}, {9{bytes[2]}}, {9{bytes[1]}}, {9{bytes[0]}}} :
              width == 18 ? {18'd0, {9{bytes[1]}}, {9{bytes[0]}}} : (36'd1 << width) - 36'd1;
  endfunction

  wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3,
    ADA2, ADA1, ADA0};
  wire [17:0] data_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7,
    DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3,
    ADB2, ADB1, ADB0};
  wire [17:0] data_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7,
    DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};

  // a port of 36 bits takes the data pins of both, the lower half on A
  wire [5:0] offset_a = offset(DATA_WIDTH_A, address_a[4:0]);
  wire [5:0] offset_b = offset(DATA_WIDTH_B, address_b[4:0]);
  wire [35:0] wide = {data_b, data_a};
  wire [35:0] word_a = DATA_WIDTH_A == 36 ? wide : {18'd0, data_a} << offset_a;
  wire [35:0] word_b = DATA_WIDTH_B == 36 ? wide : {18'd0, data_b} << offset_b;
  wire write_a = CEA && WEA && !RSTA;
  wire write_b = CEB && WEB && !RSTB;
  wire [35:0] mask_a = write_a ? enabled(DATA_WIDTH_A, address_a[3:0]) << offset_a : 36'd0;
  wire [35:0] mask_b = write_b ? enabled(DATA_WIDTH_B, address_b[3:0]) << offset_b : 36'd0;
  wire same = address_a[13:5] == address_b[13:5];
  wire [35:0] torn_a = same ? mask_b : 36'd0;
  wire [35:0] torn_b = same ? mask_a : 36'd0;
  reg wrong = 1'b1;

  reg [35:0] found_a = 36'd0;
  reg [35:0] found_b = 36'd0;
  // blocking: two ports may write two parts of a pair at once
  reg [35:0] before_a, after_a;
  always @(posedge CLKA) begin
    before_a = memory[address_a[13:5]];
    after_a = (before_a & ~mask_a) | (word_a & mask_a);
    if (RSTA) found_a <= 36'd0;
    else if (CEA && !(WEA && WRITEMODE_A == "NORMAL"))
      found_a <= ((WRITEMODE_A == "WRITETHROUGH" ? after_a : before_a) ^
                  (wrong ? torn_a : 36'd0)) >> offset_a;
    if (write_a) memory[address_a[13:5]] = after_a;
  end

  reg [35:0] before_b, after_b;
  always @(posedge CLKB) begin
    before_b = memory[address_b[13:5]];
    after_b = (before_b & ~mask_b) | ((word_b ^ (wrong ? torn_b : 36'd0)) & mask_b);
    if (RSTB) found_b <= 36'd0;
    else if (CEB && !(WEB && WRITEMODE_B == "NORMAL"))
      found_b <= ((WRITEMODE_B == "WRITETHROUGH" ? after_b : before_b) ^
                  (wrong ? torn_b : 36'd0)) >> offset_b;
    if (write_b) memory[address_b[13:5]] = after_b;
  end

  always @(posedge CLKA)
    if (RESETMODE != "SYNC" && (RSTA || RSTB)) $fatal(1, "DP16KD: a reset without a model");

  always @(posedge CLKA) if (|torn_a || |torn_b) wrong <= !wrong;

  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
    DOA4, DOA3, DOA2, DOA1, DOA0} = DATA_WIDTH_B == 36 ? found_b[17:0] : found_a[17:0];
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
    DOB4, DOB3, DOB2, DOB1, DOB0} = DATA_WIDTH_B == 36 ? found_b[35:18] : found_b[17:0];
endmodule
