"""The benchmarks: our worker beside its peers on one Apache Kafka; docs/benchmarks.md has the figures."""
