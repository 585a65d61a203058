// First-in, first-out memory for the words of an AXI4-Stream. A full memory stalls the stream.
module axi_stream_fifo #(
  parameter WIDTH = 35,
  parameter DEPTH_LOG2 = 6
) (
  input  wire             aclk,
  input  wire             aresetn,
  input  wire [WIDTH-1:0] s_axis_tdata,
  input  wire             s_axis_tvalid,
  output wire             s_axis_tready,
  output reg  [WIDTH-1:0] m_axis_tdata,
  output reg              m_axis_tvalid,
  input  wire             m_axis_tready
);
  reg [WIDTH-1:0] memory [0:(1 << DEPTH_LOG2) - 1];
  // one bit more than an address: equal counts mean empty, counts that differ in this bit only full
  reg [DEPTH_LOG2:0] put, taken;
  wire empty = put == taken;
  wire full = put == {~taken[DEPTH_LOG2], taken[DEPTH_LOG2-1:0]};
  wire take = !empty && (!m_axis_tvalid || m_axis_tready);

  assign s_axis_tready = !full;

  always @(posedge aclk) begin
    if (s_axis_tvalid && s_axis_tready) begin
      memory[put[DEPTH_LOG2-1:0]] <= s_axis_tdata;
      put <= put + 1'b1;
    end
    if (take) begin
      m_axis_tdata <= memory[taken[DEPTH_LOG2-1:0]];
      taken <= taken + 1'b1;
    end
    m_axis_tvalid <= take || (m_axis_tvalid && !m_axis_tready);
    if (!aresetn) begin
      put <= {(DEPTH_LOG2 + 1){1'b0}};
      taken <= {(DEPTH_LOG2 + 1){1'b0}};
      m_axis_tvalid <= 1'b0;
    end
  end
endmodule
