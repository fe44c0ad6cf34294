"""The broker: an embedded NATS server with its access rules, and the same rules for Mosquitto."""
