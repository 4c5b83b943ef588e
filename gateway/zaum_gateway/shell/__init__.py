"""Answer Envoy and the kubelet, read the clock, write the log. Nothing in here decides."""
