"""HTML pages that need no network: their content, charts, layout, and the file or server that
shows them."""
