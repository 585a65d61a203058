// Example: the core, a master that takes it through a first run, and a reader of its samples.
//
// `pass` is high at the end if the samples are those of the model (README.md). ADDR_BITS is the width
// of s_axi_awaddr of your core.
module first_run #(
  parameter SCRIPT = "first_run.hex",
  parameter WORDS_LOG2 = 13,
  parameter ADDR_BITS = 18
) (
  input  wire                  aclk,
  input  wire                  aresetn,
  input  wire                  consumer_ready,  // low: the consumer of the samples is busy
  output wire                  pair_valid,
  output wire                  pair_last,
  output wire [9:0]            code_plus,
  output wire [9:0]            code_minus,
  output wire [31:0]           multiplicity,
  output wire [31:0]           log_posterior,
  output wire [31:0]           samples,
  output wire                  busy,
  output wire                  done,
  output wire                  pass,
  output wire [WORDS_LOG2-1:0] position
);
  // -- registers: script -> core -------------------------------------------------------------------
  wire [ADDR_BITS-1:0] awaddr, araddr;
  wire [31:0] wdata, rdata, checksum;
  wire [3:0] wstrb;
  wire [2:0] awprot, arprot;
  wire [1:0] bresp, rresp;
  wire awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready, irq;

  axi_lite_script #(.SCRIPT(SCRIPT), .WORDS_LOG2(WORDS_LOG2), .ADDR_BITS(ADDR_BITS)) master (
    .aclk(aclk), .aresetn(aresetn),
    .m_axi_awaddr(awaddr), .m_axi_awprot(awprot), .m_axi_awvalid(awvalid),
    .m_axi_awready(awready), .m_axi_wdata(wdata), .m_axi_wstrb(wstrb), .m_axi_wvalid(wvalid),
    .m_axi_wready(wready), .m_axi_bresp(bresp), .m_axi_bvalid(bvalid), .m_axi_bready(bready),
    .m_axi_araddr(araddr), .m_axi_arprot(arprot), .m_axi_arvalid(arvalid),
    .m_axi_arready(arready), .m_axi_rdata(rdata), .m_axi_rresp(rresp), .m_axi_rvalid(rvalid),
    .m_axi_rready(rready),
    .irq(irq), .samples(samples), .checksum(checksum),
    .done(done), .pass(pass), .position(position)
  );

  // -- records: core -> memory -> reader -----------------------------------------------------------
  wire [31:0] record_data, word;
  wire [3:0] record_keep;
  wire [1:0] record_dest, word_dest;
  wire record_last, record_valid, record_ready, word_last, word_valid, word_ready, data_ready;

  ohmcarlo_axi4_lite core (
    .aclk(aclk), .aresetn(aresetn),
    .s_axi_awaddr(awaddr), .s_axi_awprot(awprot), .s_axi_awvalid(awvalid),
    .s_axi_awready(awready), .s_axi_wdata(wdata), .s_axi_wstrb(wstrb), .s_axi_wvalid(wvalid),
    .s_axi_wready(wready), .s_axi_bresp(bresp), .s_axi_bvalid(bvalid), .s_axi_bready(bready),
    .s_axi_araddr(araddr), .s_axi_arprot(arprot), .s_axi_arvalid(arvalid),
    .s_axi_arready(arready), .s_axi_rdata(rdata), .s_axi_rresp(rresp), .s_axi_rvalid(rvalid),
    .s_axi_rready(rready),
    .m_axis_records_tdata(record_data), .m_axis_records_tkeep(record_keep),
    .m_axis_records_tlast(record_last), .m_axis_records_tdest(record_dest),
    .m_axis_records_tvalid(record_valid), .m_axis_records_tready(record_ready),
    .s_axis_data_tdata(32'd0), .s_axis_data_tkeep(4'b0000), .s_axis_data_tlast(1'b0),
    .s_axis_data_tvalid(1'b0), .s_axis_data_tready(data_ready),
    .irq(irq), .off(1'b0), .busy(busy)
  );

  axi_stream_fifo #(.WIDTH(35), .DEPTH_LOG2(6)) fifo (
    .aclk(aclk), .aresetn(aresetn),
    .s_axis_tdata({record_dest, record_last, record_data}), .s_axis_tvalid(record_valid),
    .s_axis_tready(record_ready),
    .m_axis_tdata({word_dest, word_last, word}), .m_axis_tvalid(word_valid),
    .m_axis_tready(word_ready)
  );

  sample_reader reader (
    .aclk(aclk), .aresetn(aresetn),
    .s_axis_tdata(word), .s_axis_tdest(word_dest), .s_axis_tlast(word_last),
    .s_axis_tvalid(word_valid), .s_axis_tready(word_ready), .ready(consumer_ready),
    .pair_valid(pair_valid), .pair_last(pair_last), .code_plus(code_plus),
    .code_minus(code_minus), .multiplicity(multiplicity), .log_posterior(log_posterior),
    .samples(samples), .checksum(checksum)
  );

  wire unused = &{1'b0, record_keep, data_ready};  // all words are complete; no data by stream
endmodule
