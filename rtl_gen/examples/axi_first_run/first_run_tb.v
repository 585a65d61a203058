// Test bench of the example, for any simulator of Verilog-2005: a clock, a reset, and a consumer that
// takes a word in about one clock of 128, so that the core has to wait. Prints PASS or FAIL.
module first_run_tb;
  parameter SCRIPT = "first_run.hex";
  parameter ADDR_BITS = 18;
  parameter [31:0] LIMIT = 32'd5_000_000;

  reg         aclk, aresetn;
  reg  [15:0] noise;
  reg  [31:0] clocks, pairs;
  wire        pair_valid, pair_last, busy, done, pass;
  wire [9:0]  code_plus, code_minus;
  wire [31:0] multiplicity, log_posterior, samples;
  wire [12:0] position;

  initial begin
    aclk = 1'b0;
    aresetn = 1'b0;
    noise = 16'hACE1;
    clocks = 32'd0;
    pairs = 32'd0;
  end
  always #5 aclk = ~aclk;

  first_run #(.SCRIPT(SCRIPT), .ADDR_BITS(ADDR_BITS)) dut (
    .aclk(aclk), .aresetn(aresetn), .consumer_ready(noise[6:0] == 7'd0),
    .pair_valid(pair_valid), .pair_last(pair_last), .code_plus(code_plus),
    .code_minus(code_minus), .multiplicity(multiplicity), .log_posterior(log_posterior),
    .samples(samples), .busy(busy), .done(done), .pass(pass), .position(position)
  );

  always @(posedge aclk) begin
    clocks <= clocks + 32'd1;
    aresetn <= clocks >= 32'd4;
    noise <= {noise[14:0], noise[15] ^ noise[13] ^ noise[12] ^ noise[10]};
    if (pair_valid) begin
      pairs <= pairs + 32'd1;
      if (pair_last)
        $display("sample: multiplicity %0d, log-posterior %0d / 65536, last pair %0d %0d",
                 multiplicity, $signed(log_posterior), code_plus, code_minus);
    end
    if (done || clocks >= LIMIT) begin
      $display("%0d samples, %0d pairs, %0d clocks, script at %0d, busy %0d",
               samples, pairs, clocks, position, busy);
      if (done && pass) $display("PASS");
      else $display("FAIL");
      $finish;
    end
  end
endmodule
