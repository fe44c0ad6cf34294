"""The whole road on one machine, through processes, HTTP and MQTT only."""
