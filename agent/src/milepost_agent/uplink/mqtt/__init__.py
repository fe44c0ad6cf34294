"""A link over MQTT 3.1.1 or 5 by a client of the agent's own: QoS 0 and 1, clean sessions, TCP and TLS."""

from __future__ import annotations

from milepost_agent.uplink.mqtt.connecting import connect

__all__ = ["connect"]
