// Takes sample records from the records of the core (tdest = 2), and ignores others. It presents the
// device pairs of a sample one after another, and keeps a checksum of all samples.
//
//   word of a record   content
//   0                  kind of the record, and its length
//   1                  region and flags
//   2                  multiplicity: steps that the chain stayed at the sample
//   3, 4               log-likelihood and log-prior, 16 fraction bits
//   5 ...              device pairs: code of g+ in bits 9:0, of g- in bits 25:16
//
// The checksum is rotated to the left by one bit, and a word is added with an exclusive or: the words
// 1 and 2, the sum of the words 3 and 4, and each pair.
module sample_reader (
  input  wire        aclk,
  input  wire        aresetn,
  input  wire [31:0] s_axis_tdata,
  input  wire [1:0]  s_axis_tdest,
  input  wire        s_axis_tlast,
  input  wire        s_axis_tvalid,
  output wire        s_axis_tready,
  input  wire        ready,          // the consumer takes a word in this clock
  output wire        pair_valid,     // for one clock: `code_plus` and `code_minus` are a pair
  output wire        pair_last,      // the last pair of the sample
  output wire [9:0]  code_plus,
  output wire [9:0]  code_minus,
  output reg  [31:0] multiplicity,   // of the sample whose pairs are presented
  output reg  [31:0] log_posterior,
  output reg  [31:0] samples,        // complete samples
  output reg  [31:0] checksum
);
  localparam [1:0] SAMPLE = 2'd2;

  reg  [2:0]  index;  // of the word, 5 for all pairs
  wire        taken = s_axis_tvalid && ready && s_axis_tdest == SAMPLE;
  wire [31:0] sum = log_posterior + s_axis_tdata;
  wire        counted = index == 3'd1 || index == 3'd2 || index == 3'd4 || index == 3'd5;
  wire [31:0] word = index == 3'd4 ? sum : s_axis_tdata;

  assign s_axis_tready = ready;
  assign pair_valid = taken && index == 3'd5;
  assign pair_last = s_axis_tlast;
  assign code_plus = s_axis_tdata[9:0];
  assign code_minus = s_axis_tdata[25:16];

  always @(posedge aclk) begin
    if (taken) begin
      index <= s_axis_tlast ? 3'd0 : index == 3'd5 ? 3'd5 : index + 3'd1;
      if (index == 3'd2) multiplicity <= s_axis_tdata;
      if (index == 3'd3) log_posterior <= s_axis_tdata;
      if (index == 3'd4) log_posterior <= sum;
      if (counted) checksum <= {checksum[30:0], checksum[31]} ^ word;
      if (s_axis_tlast) samples <= samples + 32'd1;
    end
    if (!aresetn) begin
      index <= 3'd0;
      samples <= 32'd0;
      checksum <= 32'd0;
    end
  end
endmodule
