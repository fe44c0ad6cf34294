"""Remote configuration: what the server desires of this device, and what the device says of itself."""
