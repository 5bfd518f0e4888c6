"""What this host says to programs that watch it: a file in Prometheus' format, for node_exporter's textfiles."""
